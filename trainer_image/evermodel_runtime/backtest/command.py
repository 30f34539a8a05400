"""``evermodel-runtime backtest [FILE.csv]``: tell what Evermodel would have done with a stream."""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean

from evermodel_runtime.backtest.generated import BUILT_IN, TARGET, generate
from evermodel_runtime.backtest.hub import SOURCE_URI
from evermodel_runtime.backtest.reading import read_stream
from evermodel_runtime.backtest.replay import Replayed, Settings, replay
from evermodel_runtime.backtest.stream import Stream, open_stream
from evermodel_runtime.data.failure import JobError

STRATEGIES = ("static", "scheduled", "loop", "oracle")
ESTIMATOR = "RandomForestClassifier"
FOREST: dict[str, object] = {"n_estimators": 30}
BATCH = 50
BAD_INPUT = 2
HEADER = (
    f"{'stream':<24}{'rows':>8}{'static':>11}{'scheduled':>11}{'loop':>11}{'oracle':>11}"
    f"{'fits':>6}{'alarms':>8}{'runs':>6}{'promoted':>10}"
)
EPILOG = """\
The first tenth of the rows (at most 2,000) is the training data, the others come in batches: each is predicted, then
its labels come. Strategies: static never retrains; scheduled refits every 1,000 labels, on all rows or on recent ones,
whichever did better; loop is Evermodel's detector, training, evaluation and gate; oracle chooses every 1,000 labels,
knowing those to come, among models of all and of recent rows. The last line is JSON.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Replay a file, or the built-in streams; returns the exit code."""
    options = _parser().parse_args(arguments)
    warnings.simplefilter("ignore")  # scikit-learn's hints would bury the figures
    settings = Settings(
        estimator=options.estimator,
        parameters=FOREST if options.estimator == ESTIMATOR else {},
        threshold=options.threshold,
        batch=options.batch,
    )
    try:
        if options.file is None:
            return _replay_built_in(settings)
        return _replay_file(read_stream(options.file, options.target, _tell), settings)
    except JobError as error:
        of_stream = f"the first rows of {options.file}"  # a Job knows them by the name that its hub gives
        print(error.message.replace(SOURCE_URI, of_stream), file=sys.stderr)
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
    return BAD_INPUT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="evermodel-runtime backtest",
        description="Replay a labelled stream through training, gate and detector, without a cluster.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "file", nargs="?", type=Path, metavar="FILE.csv", help="rows in order; default: built-in streams"
    )
    parser.add_argument("--target", metavar="COLUMN", help="default: the last column")
    parser.add_argument("--estimator", default=ESTIMATOR, help="default: %(default)s")
    parser.add_argument(
        "--threshold", type=float, help="accuracy to keep; default: a little below the first holdout score"
    )
    parser.add_argument("--batch", type=int, default=BATCH, help="labels that come together; default: %(default)s")
    return parser


def _replay_file(stream: Stream, settings: Settings) -> int:
    result = replay(stream, settings, _tell)
    print(f"\n{HEADER}\n{_line(stream.name, result)}")
    print(json.dumps(asdict(result)))
    return 0


def _tell(label: int, line: str) -> None:
    print(f"label {label:>7,}  {line}", flush=True)


def _replay_built_in(settings: Settings) -> int:
    """Replay the generated streams; the last line has the means over them, and what each gave."""
    results: dict[str, Replayed] = {}
    print(HEADER)
    for recipe in BUILT_IN:
        results[recipe.name] = replay(open_stream(generate(recipe), TARGET), settings, _say_nothing)
        print(_line(recipe.name, results[recipe.name]), flush=True)
    means = {strategy: fmean(getattr(result, strategy) for result in results.values()) for strategy in STRATEGIES}
    fits = sum(result.fits for result in results.values())
    print(json.dumps({**means, "fits": fits, "streams": {name: asdict(result) for name, result in results.items()}}))
    return 0


def _say_nothing(_label: int, _line: str) -> None:
    """Keep what a loop does to itself: over many streams the table is enough."""


def _line(name: str, result: Replayed) -> str:
    shares = "".join(f"{getattr(result, strategy):>11.4f}" for strategy in STRATEGIES)
    return (
        f"{name:<24}{result.rows:>8,}{shares}{result.fits:>6}{result.alarms:>8}{result.runs:>6}{result.promotions:>10}"
    )
