"""Does memory stay as it is? An hour of predictions at 60 % of what one pod can do, labelled, captured and compared.

    python bench/serving/soak.py                 an hour
    python bench/serving/soak.py --seconds 300   a look: the hub still fills its store of captured rows

Server and hub are processes of their own. What the pod can do is measured first, by wrk over 16 connections; then it
gets 60 % of that, the rows of breast_cancer, of which some are labelled, while the hub is asked how the model does and
whether it drifts, as the operator asks. What grows is told by the median of the last tenth of the looks beside that of
the second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import requests
import uvloop
from sklearn.datasets import load_breast_cancer

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "operator"), str(ROOT / "trainer_image")]

from bench.serving.load import Shape, run
from bench.serving.paced import Pace, case, keep
from bench.serving.servers import CLIENT_CORE, Server, Site, rss_mb
from tests.contract.job_processes import Hub

from evermodel.contract import DriftQuery, QualityQuery

SHARE = 0.6
CONNECTIONS = 16
CAPACITY_RUNS, CAPACITY_SECONDS = 3, 5
SAMPLE_SECONDS = 10.0
LABEL_SECONDS = 1.0
TENTHS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One look."""

    seconds: float
    server_mb: float
    hub_mb: float
    answered: int
    labels: int
    errors: int


@dataclass(slots=True, kw_only=True)
class Soak:
    """The load, and what is seen of it."""

    server: Server
    hub: Hub
    hub_pid: int
    pace: Pace
    labels: int = 0
    refused: int = 0

    async def label(self) -> None:
        """Send what is known by now through the pod, as clients do."""
        while True:
            await asyncio.sleep(LABEL_SECONDS)
            known = [self.pace.predicted.popleft() for _ in range(len(self.pace.predicted))]
            if known:
                body = {"labels": [{"id": name, "label": label} for name, label in known]}
                answer = await asyncio.to_thread(
                    requests.post, self.server.url.replace("/infer", "/feedback"), json=body, timeout=30
                )
                accepted = answer.json().get("accepted", 0) if answer.ok else 0
                self.labels += accepted
                self.refused += len(known) - accepted

    async def look(self, samples: list[Sample]) -> None:
        """Look at the memory, and ask the hub as the operator does."""
        began = time.monotonic()
        while True:
            await asyncio.sleep(SAMPLE_SECONDS)
            await asyncio.to_thread(self._ask)
            sample = Sample(
                seconds=time.monotonic() - began,
                server_mb=self.server.rss_mb,
                hub_mb=rss_mb(self.hub_pid),
                answered=self.pace.answered,
                labels=self.labels,
                errors=self.pace.errors + self.refused,
            )
            samples.append(sample)
            print(
                f"{sample.seconds:>8.0f} {sample.server_mb:>10.1f} {sample.hub_mb:>8.1f} {sample.answered:>11,}"
                f" {sample.labels:>9,} {sample.errors:>7}",
                flush=True,
            )

    def _ask(self) -> None:
        query = QualityQuery(
            version=1, threshold=0.9, tolerance=0.01, false_alarm_every=100_000.0, window=1000, drift=DriftQuery()
        )
        self.hub.quality(query)


async def soak(work: Soak, seconds: float) -> list[Sample]:
    """Keep the load up, and return what was seen."""
    samples: list[Sample] = []
    beside = [asyncio.create_task(work.label()), asyncio.create_task(work.look(samples))]
    await keep(work.pace, work.server.port, CONNECTIONS, seconds)
    for task in beside:
        if task.done():
            task.result()  # what ended it is raised here
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    return samples


def growth(figures: list[float]) -> float:
    """Return by which share the median of the last tenth is above that of the second: the first warms up."""
    tenth = max(len(figures) // TENTHS, 1)
    return median(figures[-tenth:]) / median(figures[tenth : 2 * tenth]) - 1


def main() -> int:
    """Run it and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3600.0, help="how long the load is kept up (3600)")
    options = parser.parse_args()
    rows, labels = load_breast_cancer(return_X_y=True)
    with tempfile.TemporaryDirectory() as folder, Site(Path(folder), Path(folder)) as site:
        trained = site.train("LogisticRegression", {})
        site.hub.promote(trained.digest)
        assert site.hub.process is not None
        with site.evermodel(trained) as server:
            runs = [run(server, Shape(CONNECTIONS), CAPACITY_SECONDS).per_second for _ in range(CAPACITY_RUNS)]
            capacity = median(runs)
            os.sched_setaffinity(0, {int(CLIENT_CORE)})
            print(f"capacity {capacity:,.0f} requests/s; {SHARE:.0%} of it for {options.seconds:.0f} s")
            print(f"{'s':>8} {'server MB':>10} {'hub MB':>8} {'answered':>11} {'labels':>9} {'errors':>7}", flush=True)
            cases = [case(server.path, row.tolist(), int(label)) for row, label in zip(rows, labels, strict=True)]
            work = Soak(
                server=server,
                hub=site.hub,
                hub_pid=site.hub.process.pid,
                pace=Pace(cases, SHARE * capacity),
            )
            began = time.monotonic()
            samples = uvloop.run(soak(work, options.seconds))
            took = time.monotonic() - began
    figures = {
        "server_rss_growth": round(growth([one.server_mb for one in samples]), 4),
        "hub_rss_growth": round(growth([one.hub_mb for one in samples]), 4),
        "errors": work.pace.errors + work.refused,
        "seconds": round(took),
        "rate": round(work.pace.answered / took),
    }
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
