"""What the pod counts, as Prometheus metrics."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from evermodel.contract import ServeConfig
from evermodel_runtime.serve.answers import Answer

PROMETHEUS_TEXT = b"text/plain; version=0.0.4; charset=utf-8"
LATENCY_BUCKETS = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Measures:
    """Counters of one process. Labels are closed sets: routes by name, codes by number."""

    def __init__(self, config: ServeConfig) -> None:
        self.registry = CollectorRegistry()
        self.predictions = 0
        """Rows answered since the start, as the hub counts them."""
        self.errors = 0
        """Inference requests that failed through no fault of the caller."""
        self._requests = Counter(
            "evermodel_server_requests", "Requests by route and status code", ("route", "code"), registry=self.registry
        )
        self._by_route_and_code: dict[tuple[str, int], Counter] = {}
        self._rows = Counter("evermodel_server_prediction_rows", "Rows answered", registry=self.registry)
        self._latency = Histogram(
            "evermodel_server_inference_seconds",
            "Time from the whole request to its answer",
            buckets=LATENCY_BUCKETS,
            registry=self.registry,
        )
        self.captures_dropped = Gauge(
            "evermodel_server_captures_dropped", "Captured rows that never reached the hub", registry=self.registry
        )
        self.captures_waiting = Gauge(
            "evermodel_server_captures_waiting", "Captured rows that wait for the hub", registry=self.registry
        )
        self.ready = Gauge("evermodel_server_ready", "1 when the pod wants requests", registry=self.registry)
        Gauge(
            "evermodel_server_model_info",
            "The model that this pod serves",
            ("namespace", "model", "version", "manifest"),
            registry=self.registry,
        ).labels(config.namespace, config.model, str(config.version), config.manifest).set(1)

    def request(self, route: str, code: int) -> None:
        """Count one answered request."""
        key = (route, code)
        counter = self._by_route_and_code.get(key)
        if counter is None:
            counter = self._by_route_and_code[key] = self._requests.labels(route, str(code))
        counter.inc()

    def inference(self, rows: int, seconds: float) -> None:
        """Count one answered inference request."""
        self.predictions += rows
        self._rows.inc(rows)
        self._latency.observe(seconds)

    def answer(self) -> Answer:
        """Return the metrics as text."""
        return Answer(200, generate_latest(self.registry), PROMETHEUS_TEXT)
