"""How fast one serving pod answers, beside MLServer, KServe's SDK, a bare model and an echo on the same web server.

    python bench/serving/run.py                      about ten minutes; installs the compared servers at the first time
    python bench/serving/run.py --runs 1 --seconds 1 a quick look

Each server is one process on one core, the client (wrk) is on another, and all take turns in one run. The model has 30
features (breast_cancer); Evermodel serves it with everything on: checks, signed ids, metrics, captured rows, drift.
MLServer is measured with its model in a worker process, as it comes, and in the server's own process; the better figure
counts. Of a thousand rows Evermodel gets the numbers as bytes, which the protocol has for them, and MLServer JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "operator"), str(ROOT / "trainer_image")]

from bench.serving.load import Encoding, Load, Shape, middle, run
from bench.serving.servers import Server, Site
from tests.contract.job_processes import free_port

FOREST = "RandomForestClassifier"
LOGISTIC = "LogisticRegression"
NOT_EXPORTED: tuple[str, dict[str, object]] = ("KNeighborsClassifier", {"metric": "canberra"})
"""An estimator that is served by scikit-learn itself: ONNX has no such distance."""
ONE, MANY = Shape(connections=1), Shape(connections=16)
THOUSAND_ROWS = Shape(connections=1, rows=1000)
THOUSAND_ROWS_IN_BYTES = Shape(connections=1, rows=1000, encoding=Encoding.BINARY)
ONE_CALL, MANY_CALLS = (Shape(connections=each, encoding=Encoding.RPC) for each in (1, 16))
COLD_STARTS = 5


def cache() -> Path:
    """Return where the compared servers are installed."""
    base = os.environ.get("EVERMODEL_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "evermodel"
    return Path(base).expanduser() / "bench"


def install(name: str) -> None:
    """Install a compared server in an environment of its own."""
    requirements = Path(__file__).with_name(f"requirements-{name}.txt")
    folder = cache() / name
    done = folder / requirements.name
    if done.exists() and done.read_text(encoding="utf-8") == requirements.read_text(encoding="utf-8"):
        return
    print(f"installing {requirements.read_text(encoding='utf-8').splitlines()[0]}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--requirement", str(requirements)], check=True)
    shutil.copy(requirements, done)


def install_wrk() -> None:
    """Install the client, as root on Debian."""
    if shutil.which("wrk") is not None:
        return
    print("installing wrk", flush=True)
    try:
        for command in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", "wrk"]):
            subprocess.run(["apt-get", *command], check=True, stdout=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(f"wrk is not installed and could not be ({error}): install it, then run this again") from None


class Bench:
    """Runs loads in turns and prints a row for each."""

    def __init__(self, runs: int, seconds: int) -> None:
        self._runs = runs
        self._seconds = seconds

    def measure(self, title: str, contenders: Sequence[tuple[Server, Shape]]) -> list[list[Load]]:
        """Load each server in turn, ``runs`` times, after a short warm-up."""
        for server, shape in contenders:
            run(server, shape, 1)
        loads: list[list[Load]] = [[] for _ in contenders]
        for _ in range(self._runs):
            for (server, shape), kept in zip(contenders, loads, strict=True):
                kept.append(run(server, shape, self._seconds))
        for (server, _), kept in zip(contenders, loads, strict=True):
            spread = f"{min(load.per_second for load in kept):,.0f}-{max(load.per_second for load in kept):,.0f}"
            print(
                f"{title:<34} {server.name:<22} {per_second(kept):>9,.0f} {spread:>17} {p50(kept):>9.3f} "
                f"{middle(kept, lambda load: load.p99_ms):>9.3f} {server.rss_mb:>7.0f}",
                flush=True,
            )
        return loads


def per_second(loads: list[Load]) -> float:
    """Return the median of requests a second."""
    return middle(loads, lambda load: load.per_second)


def p50(loads: list[Load]) -> float:
    """Return the median over the runs of the median latency, in milliseconds."""
    return middle(loads, lambda load: load.p50_ms)


def logistic(site: Site, bench: Bench) -> dict[str, float]:
    """Compare single rows, and a thousand, with everything else that serves a logistic regression."""
    trained = site.train(LOGISTIC, {})
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(site.evermodel(trained))
        bare = stack.enter_context(site.plain("onnx", site.model_file(trained)))
        echo = stack.enter_context(site.plain("echo"))
        theirs = [stack.enter_context(site.mlserver(LOGISTIC, workers=workers)) for workers in (1, 0)]
        kserve = stack.enter_context(site.kserve(LOGISTIC))
        many = bench.measure(
            "logistic, 16 connections", [(server, MANY) for server in (ours, bare, echo, kserve, *theirs)]
        )
        one = bench.measure("logistic, 1 connection", [(server, ONE) for server in (ours, *theirs)])
        rss = ours.rss_mb
        rows = bench.measure(
            "logistic, 1,000 rows (ours: bytes)",
            [(ours, THOUSAND_ROWS_IN_BYTES), *((server, THOUSAND_ROWS) for server in theirs)],
        )
        rows_as_json = bench.measure("logistic, 1,000 rows as JSON", [(ours, THOUSAND_ROWS)])[0]
    served, plain, echoed, by_kserve = (per_second(loads) for loads in many[:4])
    return {
        "lr_c16_vs_mlserver": served / max(map(per_second, many[4:])),
        "lr_c16_vs_kserve": served / by_kserve,
        "lr_c16_vs_echo": served / echoed,
        "features_cost": 1 - served / plain,
        "lr_c1_p50_vs_mlserver": p50(one[0]) / min(map(p50, one[1:])),
        "rows1000_vs_mlserver": per_second(rows[0]) / max(map(per_second, rows[1:])),
        "rows1000_as_json_vs_mlserver": per_second(rows_as_json) / max(map(per_second, rows[1:])),
        "rss_mb": rss,
    }


def calls(site: Site, bench: Bench) -> dict[str, float]:
    """Tell what a pod answers by gRPC. The client is Python too, and takes more time than the pod."""
    trained = site.train(LOGISTIC, {})
    with site.evermodel(trained, grpc_port=(port := free_port())) as ours:
        by_grpc = dataclasses.replace(ours, name="Evermodel, gRPC", port=port)
        many = bench.measure("logistic, 16 calls at once", [(by_grpc, MANY_CALLS)])[0]
        one = bench.measure("logistic, 1 call at a time", [(by_grpc, ONE_CALL)])[0]
    return {"grpc_c16_per_second": per_second(many), "grpc_c1_p50_ms": p50(one)}


def forest(site: Site, bench: Bench) -> dict[str, float]:
    """Compare a forest of a hundred trees."""
    trained = site.train(FOREST, {"n_estimators": 100, "random_state": 0})
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(site.evermodel(trained))
        theirs = [stack.enter_context(site.mlserver(FOREST, workers=workers)) for workers in (1, 0)]
        many = bench.measure("forest, 16 connections", [(server, MANY) for server in (ours, *theirs)])
        one = bench.measure("forest, 1 connection", [(server, ONE) for server in (ours, *theirs)])
    return {
        "rf_c16_vs_mlserver": per_second(many[0]) / max(map(per_second, many[1:])),
        "rf_c1_p50_vs_mlserver": p50(one[0]) / min(map(p50, one[1:])),
    }


def fallback(site: Site, bench: Bench) -> dict[str, float]:
    """Compare a model that scikit-learn itself answers with one call of it for each request."""
    trained = site.train(*NOT_EXPORTED)
    with site.evermodel(trained) as ours, site.plain("skops", site.model_file(trained)) as plain:
        loads = bench.measure("neighbours, 16 connections", [(ours, MANY), (plain, MANY)])
    return {"fallback_speedup": per_second(loads[0]) / per_second(loads[1])}


def cold_starts(site: Site) -> dict[str, float]:
    """Measure the time from the start of the process to its first answer, the download included."""
    trained = site.train(LOGISTIC, {})
    seconds = []
    for _ in range(COLD_STARTS):
        with site.evermodel(trained) as server:
            seconds.append(server.seconds_to_answer)
    print(f"cold start to the first answer: {', '.join(f'{each:.2f}' for each in seconds)} s", flush=True)
    return {"cold_start_s": median(seconds)}


def main() -> int:
    """Run everything and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="measured runs of each server (5)")
    parser.add_argument("--seconds", type=int, default=4, help="length of a run (4)")
    options = parser.parse_args()
    install_wrk()
    for name in ("mlserver", "kserve"):
        install(name)
    bench = Bench(options.runs, options.seconds)
    began = time.perf_counter()
    print(f"{'':<34} {'':<22} {'requests/s':>9} {'range':>17} {'p50 ms':>9} {'p99 ms':>9} {'RSS MB':>7}")
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, Site(Path(folder), cache()) as site:
        for part in (logistic, calls, forest, fallback):
            figures |= part(site, bench)
        figures |= cold_starts(site)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end, {time.perf_counter() - began:.0f} s")
    print(json.dumps({name: round(value, 3) for name, value in figures.items()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
