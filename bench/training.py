"""What training costs beyond plain scikit-learn, and what reading costs beside the csv module and pandas.

    python bench/training.py                 100 MB of CSV; about two minutes
    python bench/training.py --megabytes 20  less
    python bench/training.py --json          figures alone

The training Job runs as it does in a pod: a process that fetches the file from a hub, reads, splits, fits, exports,
compares and publishes. Beside it, in the same run: the same fit by scikit-learn alone on the same rows, and three
readers on the same bytes, in turns. pandas is put into a virtual environment of its own under the cache folder.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "operator"), str(ROOT / "trainer_image")]

from tests.cluster.profiles import cache_root
from tests.contract.job_processes import KEY, MODEL, Hub

from evermodel.contract import RUN_ENV, TOKEN_ENV, DataSource, TrainRun
from evermodel.tokens import Role, role_token

NAME = "big.csv"
NUMBERS = tuple(f"x{place}" for place in range(12))
COLOURS = ("red", "green", "dark blue")
SEED = 0
TURNS = 9
"""Of the two readers that take a third of a second, which another process on the machine could double."""
TURNS_OF_CSV = 3
ROUND = 6
PANDAS = "pandas>=3,<4"
ESTIMATOR = "LogisticRegression"
PARAMETERS: dict[str, Any] = {"max_iter": 200}


@dataclass(frozen=True, slots=True)
class Figures:
    """The result; times are seconds of a clock on the wall."""

    megabytes: float
    rows: int
    job_s: float
    read_s: float
    fit_s: float
    import_s: float
    overhead_s: float
    """From the start of the process to its end, less reading and the bare fit."""
    arrow_mib: float
    peak_mib: float
    imported_mib: float
    memory_ratio: float
    """Peak memory of the Job less that after its imports, over the bytes of the Arrow columns."""
    csv_module_s: float
    pandas_s: float
    csv_vs_csv: float
    csv_vs_pandas: float


def made_csv(megabytes: int) -> bytes:
    """Draw a table of numbers, a text and a class that follows from them."""
    random = np.random.default_rng(SEED)
    rows = megabytes * 1_000_000 // 120
    numbers = random.normal(size=(rows, len(NUMBERS))).round(ROUND)
    colours = random.integers(0, len(COLOURS), rows)
    labels = (numbers[:, 0] + numbers[:, 1] + (colours == 0) + random.normal(size=rows) > 0).astype(int)
    text = io.StringIO()
    text.write(",".join([*NUMBERS, "colour", "kind"]) + "\n")
    for start in range(0, rows, 50_000):
        part = slice(start, start + 50_000)
        for values, colour, label in zip(
            numbers[part].tolist(), colours[part].tolist(), labels[part].tolist(), strict=True
        ):
            text.write(f"{','.join(map(repr, values))},{COLOURS[colour]},{label}\n")
    return text.getvalue().encode()


# What a process of this one reports as its peak is at least what this one took: it stays small, others make the file.
def alone(code: str, *arguments: str, python: str = sys.executable) -> dict[str, float]:
    """Run a measurement in a process of its own; it prints one line of JSON."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path[:3])}
    found = subprocess.run([python, "-c", code, *arguments], env=environ, check=True, capture_output=True, text=True)
    measured: dict[str, float] = json.loads(found.stdout.splitlines()[-1])
    return measured


MAKE = """
import json, sys
from bench.training import made_csv
print(json.dumps({"bytes": open(sys.argv[2], "wb").write(made_csv(int(sys.argv[1])))}))
"""
READ = """
import json, sys, time
from evermodel_runtime.data.formats import read_table
content = open(sys.argv[1], "rb").read()
started = time.perf_counter()
table = read_table(content, "big.csv", texts={"kind"})
took = time.perf_counter() - started
print(json.dumps({"took": took, "arrow": sum(column.nbytes for column in table.columns.values()), "rows": len(table)}))
"""
READ_BY_CSV = """
import csv, io, json, sys, time
import numpy as np
content = open(sys.argv[1], "rb").read()
started = time.perf_counter()
reader = csv.reader(io.StringIO(content.decode(), newline=""))
header = next(reader)
columns = list(zip(*reader))
numbers = [np.array([float(cell) for cell in column]) for column in columns[:-2]]
print(json.dumps({"took": time.perf_counter() - started}))
"""
READ_BY_PANDAS = """
import json, sys, time
import pandas
started = time.perf_counter()
frame = pandas.read_csv(sys.argv[1])
print(json.dumps({"took": time.perf_counter() - started}))
"""
FIT = """
import json, sys, time, warnings
import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from evermodel_runtime.data.formats import read_table
from evermodel_runtime.data.dataset import read_dataset, training_part
from evermodel.contract import DataSource
warnings.simplefilter("ignore")
table = read_table(open(sys.argv[1], "rb").read(), "big.csv", texts={"kind"})
part = training_part(read_dataset(table, DataSource(uri="hub://big.csv", target="kind")))
rows, labels, numbers = part.features.arrow(), part.target.labels, list(range(len(part.features.columns) - 1))
steps = [("n", StandardScaler(), numbers), ("t", OneHotEncoder(), [len(numbers)])]
columns = ColumnTransformer(steps, sparse_threshold=0)
started = time.perf_counter()
Pipeline([("columns", columns), ("estimator", LogisticRegression(**json.loads(sys.argv[2])))]).fit(rows, labels)
print(json.dumps({"took": time.perf_counter() - started}))
"""
IMPORT = """
import time
started = time.perf_counter()
import json
import evermodel_runtime.train.job, evermodel_runtime.train.packing, evermodel_runtime.train.pipeline
import sklearn.linear_model, sklearn.preprocessing
took = time.perf_counter() - started
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]
print(json.dumps({"took": took, "peak": int(peak) / 1024}))
"""


def pandas_python() -> str:
    """Return an interpreter that has pandas, made once for each version of Python."""
    folder = cache_root() / "bench" / f"pandas-{hashlib.sha256((PANDAS + sys.version).encode()).hexdigest()[:8]}"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        print(f"preparing {folder} with {PANDAS}", file=sys.stderr)
        venv.create(folder, clear=True, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", PANDAS], check=True)
        (folder / "ready").touch()
    return str(python)


def run_job(hub: Hub, folder: Path) -> tuple[float, float]:
    """Train as a pod does; returns the seconds of the process and its peak memory in MiB."""
    run = TrainRun(
        namespace="bench",
        model=MODEL,
        version=1,
        hub_url=hub.url,
        data=DataSource(uri=f"hub://{NAME}", target="kind"),
        estimator=ESTIMATOR,
        parameters=PARAMETERS,
    )
    environ = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path[:3]),
        RUN_ENV: msgspec.json.encode(run).decode(),
        TOKEN_ENV: role_token(KEY, MODEL, Role.TRAINER),
        "EVERMODEL_TERMINATION_LOG": str(folder / "termination"),
    }
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "evermodel_runtime", "train"], env=environ, stdout=sys.stderr)
    _, status, usage = os.wait4(process.pid, 0)
    took = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the Job ended with {process.returncode}: {(folder / 'termination').read_text()}")
    return took, usage.ru_maxrss / 1024


def measure(megabytes: int) -> Figures:
    """Make the file, and measure everything on it."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        file = folder / NAME
        alone(MAKE, str(megabytes), str(file))
        reader = pandas_python()
        readers: dict[str, Callable[[], dict[str, float]]] = {
            "ours": lambda: alone(READ, str(file)),
            "csv": lambda: alone(READ_BY_CSV, str(file)),
            "pandas": lambda: alone(READ_BY_PANDAS, str(file), python=reader),
        }
        turns = [
            {name: read() for name, read in readers.items() if name != "csv" or turn < TURNS_OF_CSV}
            for turn in range(TURNS)
        ]
        best = {name: min(turn[name]["took"] for turn in turns if name in turn) for name in readers}
        fit = min(alone(FIT, str(file), json.dumps(PARAMETERS))["took"] for _ in range(2))
        imported = alone(IMPORT)
        hub = Hub(folder / "hub")
        (folder / "hub").mkdir()
        hub.start()
        try:
            hub.upload(NAME, file.read_bytes())
            jobs = [run_job(hub, folder) for _ in range(2)]
        finally:
            hub.stop()
        size = file.stat().st_size
    job, peak = min(took for took, _ in jobs), max(peak for _, peak in jobs)
    arrow = turns[0]["ours"]["arrow"] / 2**20
    return Figures(
        megabytes=round(size / 1e6, 1),
        rows=int(turns[0]["ours"]["rows"]),
        job_s=round(job, 2),
        read_s=round(best["ours"], 2),
        fit_s=round(fit, 2),
        import_s=round(imported["took"], 2),
        overhead_s=round(job - best["ours"] - fit, 2),
        arrow_mib=round(arrow, 1),
        peak_mib=round(peak, 1),
        imported_mib=round(imported["peak"], 1),
        memory_ratio=round((peak - imported["peak"]) / arrow, 2),
        csv_module_s=round(best["csv"], 2),
        pandas_s=round(best["pandas"], 2),
        csv_vs_csv=round(best["csv"] / best["ours"], 2),
        csv_vs_pandas=round(best["pandas"] / best["ours"], 2),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--json", action="store_true", help="print figures alone")
    options = parser.parse_args()
    figures = asdict(measure(options.megabytes))
    if options.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:>15}  {value:,}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
