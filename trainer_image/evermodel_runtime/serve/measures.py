"""What the pod counts, as Prometheus metrics."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

from evermodel.contract import ServeConfig
from evermodel_runtime.serve.answers import Answer

PROMETHEUS_TEXT = b"text/plain; version=0.0.4; charset=utf-8"
BATCH_BUCKETS = tuple(1 << power for power in range(0, 15, 2))
LATENCY_BUCKETS = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Measures:
    """Counters of one process. Labels are closed sets: routes by name, codes by number."""

    def __init__(self, config: ServeConfig) -> None:
        self.registry = CollectorRegistry()
        self.predictions = 0
        """Rows answered since the start, as the hub counts them."""
        self.errors = 0
        """Inference requests that failed through no fault of the caller."""
        self.refused = 0
        """Inference requests that were not what the model takes."""
        self._requests: Counter[tuple[str, int]] = Counter()
        self._latencies = [0] * (len(LATENCY_BUCKETS) + 1)
        self._seconds = 0.0
        self._batches = [0] * (len(BATCH_BUCKETS) + 1)
        self._batched_rows = 0
        self.captures_dropped = 0
        self.captures_passed_over = 0
        self.registry.register(self)
        self.captures_waiting = Gauge(
            "evermodel_server_captures_waiting", "Captured rows that wait for the hub", registry=self.registry
        )
        self.labels_waiting = Gauge(
            "evermodel_server_labels_waiting",
            "Labels that wait for the hub to have them on disk",
            registry=self.registry,
        )
        self.ready = Gauge("evermodel_server_ready", "1 when the pod wants requests", registry=self.registry)
        Gauge(
            "evermodel_server_model_info",
            "The model that this pod serves",
            ("namespace", "model", "version", "manifest"),
            registry=self.registry,
        ).labels(config.namespace, config.model, str(config.version), config.manifest).set(1)

    @property
    def answered(self) -> int:
        """Inference requests answered since the start."""
        return sum(self._latencies)

    def request(self, route: str, code: int) -> None:
        """Count one answered request."""
        self._requests[route, code] += 1

    def inference(self, rows: int, seconds: float) -> None:
        """Count one answered inference request."""
        self.predictions += rows
        self._latencies[bisect_left(LATENCY_BUCKETS, seconds)] += 1
        self._seconds += seconds

    def batch(self, rows: int) -> None:
        """Count one call of the model."""
        self._batches[bisect_left(BATCH_BUCKETS, rows)] += 1
        self._batched_rows += rows

    def collect(self) -> Iterator[Metric]:
        """Yield what is counted as plain numbers, which costs a request less than a Counter's lock."""
        requests = CounterMetricFamily(
            "evermodel_server_requests", "Requests by route and status code", labels=("route", "code")
        )
        for (route, code), count in self._requests.items():
            requests.add_metric((route, str(code)), count)
        yield requests
        for name, meaning, value in (
            ("prediction_rows", "Rows answered", self.predictions),
            ("inference_errors", "Inference requests that failed through no fault of the caller", self.errors),
            ("inference_refused", "Inference requests that were not what the model takes", self.refused),
            ("captures_dropped", "Captured rows that never reached the hub", self.captures_dropped),
            (
                "captures_passed_over",
                "Rows that were not captured since there were more than a pod may hand over",
                self.captures_passed_over,
            ),
        ):
            yield CounterMetricFamily(f"evermodel_server_{name}", meaning, value=value)
        yield _histogram(
            "evermodel_server_inference_seconds",
            "Time from the whole request to its answer",
            LATENCY_BUCKETS,
            self._latencies,
            self._seconds,
        )
        yield _histogram(
            "evermodel_server_batch_rows",
            "Rows that the model was asked for in one call",
            BATCH_BUCKETS,
            self._batches,
            self._batched_rows,
        )

    def answer(self) -> Answer:
        """Return the metrics as text."""
        return Answer(200, generate_latest(self.registry), PROMETHEUS_TEXT)


def _histogram(name: str, meaning: str, bounds: Sequence[float], counts: Sequence[int], total: float) -> Metric:
    """Return a histogram of counts that lie in one bucket each, the last one above all bounds."""
    family = HistogramMetricFamily(name, meaning)
    buckets = zip([*map(str, map(float, bounds)), "+Inf"], accumulate(counts), strict=True)
    family.add_metric((), list(buckets), total)
    return family
