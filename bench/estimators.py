"""How each classifier and regressor of scikit-learn is stored and served, measured by the training Job's own code.

Every class of ``all_estimators()`` is fitted on bundled data, numbers alone and numbers with text; exported to ONNX;
and compared with the fitted pipeline on at least 1,000 rows, noisy copies added where the data have fewer. What is not
ONNX falls back to skops, and is compared too; what is neither is refused with a reason. Writes docs/estimators.md,
prints its table, and as the last line one JSON object:

classifiers_parity, regressors_parity: how many ONNX models answer as scikit-learn does, on all tables
crashes: how many end otherwise than as ONNX, as skops or refused with a reason

``--check`` measures nothing: it fails when the page is not of these versions of the libraries, or lacks an estimator.
"""

from __future__ import annotations

import argparse
import inspect
import json
import re
import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).parents[1]
sys.path[:0] = [str(CHECKOUT / "operator"), str(CHECKOUT / "trainer_image")]

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils import all_estimators

from evermodel.contract import Column, ColumnKind, Manifest, ModelFormat, PreprocessingStep
from evermodel_runtime.artifacts.skops_archive import ArchiveError, dump_pipeline
from evermodel_runtime.artifacts.skops_scorer import SkopsScorer
from evermodel_runtime.data.failure import JobError
from evermodel_runtime.data.rows import FeatureRows, Labels
from evermodel_runtime.train.export import compare, layout_of
from evermodel_runtime.train.packing import pack
from evermodel_runtime.train.pipeline import recipe_of

PAGE = CHECKOUT / "docs" / "estimators.md"
ROWS = 1200
NOISE = 0.1
"""Standard deviations of the noise that is added to copies of rows."""
LIBRARIES = ("scikit-learn", "skl2onnx", "onnxruntime", "skops")
LONGEST_REMARK = 160


class Served(StrEnum):
    """What became of an estimator."""

    ONNX = "ONNX"
    SKOPS = "skops"
    REFUSED = "refused"
    CRASHED = "crashed"


WORST_LAST = list(Served)


@dataclass(frozen=True, slots=True)
class Data:
    """Rows to fit on and rows to compare on."""

    rows: FeatureRows
    labels: Labels
    steps: tuple[PreprocessingStep, ...]
    asked: FeatureRows


def number_columns(table: NDArray[Any]) -> tuple[Column, ...]:
    return tuple(Column(name=f"x{place}", kind=ColumnKind.NUMBER) for place in range(table.shape[1]))


def with_noise(table: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the table, and noisy copies of its rows up to ``ROWS``."""
    random = np.random.default_rng(0)
    more = table[random.integers(0, len(table), max(0, ROWS - len(table)))]
    noise = random.normal(size=more.shape) * table.std(axis=0) * NOISE
    return np.concatenate([table, (more + noise).astype(np.float32)])


def data_of(table: NDArray[Any], labels: Any, *, text: tuple[int, ...], scaled: bool) -> Data:
    """Make a data set; columns in ``text`` become three words, by their size."""
    numbers = table.astype(np.float32)
    asked = with_noise(numbers)
    columns = list(number_columns(numbers))
    values, asked_values = list(numbers.T), list(asked.T)
    for place in text:
        columns[place] = Column(name=f"x{place}", kind=ColumnKind.TEXT)
        limits = np.quantile(numbers[:, place], [1 / 3, 2 / 3])
        words = np.array(["low", "middle", "high"], dtype=object)
        values[place] = words[np.searchsorted(limits, values[place])]
        asked_values[place] = words[np.searchsorted(limits, asked_values[place])]
    plain = tuple(column.name for column in columns if column.kind is ColumnKind.NUMBER)
    encoded = tuple(column.name for column in columns if column.kind is ColumnKind.TEXT)
    steps = []
    if scaled:
        steps.append(PreprocessingStep(transformer="StandardScaler", columns=plain))
    if encoded:
        steps.append(PreprocessingStep(transformer="OneHotEncoder", columns=encoded))
    kinds = tuple(columns)
    return Data(FeatureRows(kinds, tuple(values)), labels, tuple(steps), FeatureRows(kinds, tuple(asked_values)))


def cancer(*, text: tuple[int, ...]) -> Data:
    """Two classes that are words."""
    bunch = load_breast_cancer()
    diagnoses = np.array(["malignant", "benign"], dtype=object)[bunch.target]
    return data_of(bunch.data, diagnoses, text=text, scaled=True)


def bundled(load: Callable[[], Any], *, text: tuple[int, ...], scaled: bool) -> Data:
    bunch = load()
    return data_of(bunch.data, bunch.target, text=text, scaled=scaled)


def one_number() -> Data:
    bunch = load_diabetes()
    return data_of(bunch.data[:, 2:3], bunch.target, text=(), scaled=True)


TABLES: dict[str, Callable[[], Data]] = {
    "two classes": lambda: cancer(text=()),
    "two classes, mixed": lambda: cancer(text=(0, 3)),
    "three classes": lambda: bundled(load_wine, text=(), scaled=True),
    "three classes, mixed": lambda: bundled(load_wine, text=(0, 9), scaled=True),
    "counts": lambda: bundled(load_digits, text=(), scaled=False),
    "counts, mixed": lambda: bundled(load_digits, text=(20, 43), scaled=False),
    "amounts": lambda: bundled(load_diabetes, text=(), scaled=True),
    "amounts, mixed": lambda: bundled(load_diabetes, text=(0, 2), scaled=True),
    "one number": one_number,
}


@cache
def table(name: str) -> Data:
    """Return one of the data sets, made once."""
    return TABLES[name]()


CLASSES = ("two classes", "three classes", "two classes, mixed", "three classes, mixed")
TWO_CLASSES = ("two classes", "two classes, mixed")
COUNTS = ("counts", "counts, mixed")
AMOUNTS = ("amounts", "amounts, mixed")
OTHER_TABLES = {
    "CategoricalNB": COUNTS,
    "ComplementNB": COUNTS,
    "MultinomialNB": COUNTS,
    "FixedThresholdClassifier": TWO_CLASSES,
    "TunedThresholdClassifierCV": TWO_CLASSES,
    "IsotonicRegression": ("one number",),
}
CLASSIFIERS = [
    ("boosting", HistGradientBoostingClassifier(max_iter=20, random_state=0)),
    ("forest", RandomForestClassifier(20, random_state=0)),
    ("linear", LogisticRegression()),
]
REGRESSORS = [
    ("boosting", HistGradientBoostingRegressor(max_iter=20, random_state=0)),
    ("forest", RandomForestRegressor(20, random_state=0)),
    ("linear", Ridge()),
]
ARGUMENTS: dict[str, dict[str, Any]] = {
    "CCA": {"n_components": 1},
    "ClassifierChain": {"estimator": LogisticRegression()},
    "FixedThresholdClassifier": {"estimator": LogisticRegression()},
    "IsotonicRegression": {"out_of_bounds": "clip"},
    "MultiOutputClassifier": {"estimator": LogisticRegression()},
    "MultiOutputRegressor": {"estimator": Ridge()},
    "OneVsOneClassifier": {"estimator": LogisticRegression()},
    "OneVsRestClassifier": {"estimator": LogisticRegression()},
    "OutputCodeClassifier": {"estimator": LogisticRegression()},
    "PLSCanonical": {"n_components": 1},
    "QuadraticDiscriminantAnalysis": {"solver": "eigen", "shrinkage": 0.1},
    "RadiusNeighborsClassifier": {"radius": 3.0, "outlier_label": "most_frequent"},
    "RadiusNeighborsRegressor": {"radius": 3.0},
    "RegressorChain": {"estimator": Ridge()},
    "SelfTrainingClassifier": {"estimator": LogisticRegression()},
    "StackingClassifier": {"estimators": CLASSIFIERS, "cv": 3},
    "StackingRegressor": {"estimators": REGRESSORS, "cv": 3},
    "TunedThresholdClassifierCV": {"estimator": LogisticRegression()},
    "VotingClassifier": {"estimators": CLASSIFIERS, "voting": "soft"},
    "VotingRegressor": {"estimators": REGRESSORS},
}
"""Where the defaults do not do: required arguments, and what one target and rows anywhere need."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One estimator on one table."""

    served: Served
    equal: float = 1.0
    gap: float = 0.0
    reason: str = ""
    archive: str = ""
    """Why skops cannot store it; empty when it can."""


@dataclass(frozen=True, slots=True)
class Row:
    """One estimator on all of its tables: the worst of them counts."""

    name: str
    kind: str
    arguments: str
    tables: tuple[str, ...]
    outcomes: tuple[Outcome, ...]

    @property
    def worst(self) -> Outcome:
        """The outcome that is furthest from ONNX."""
        return max(self.outcomes, key=lambda outcome: WORST_LAST.index(outcome.served))


def make(name: str, kind: type) -> Any:
    made = kind(**ARGUMENTS.get(name, {}))
    return made.set_params(random_state=0) if "random_state" in inspect.signature(kind).parameters else made


def measure(name: str, kind: type, data: Data) -> Outcome:
    """Fit, store and compare, as a training Job does."""
    try:
        pipeline = recipe_of(make(name, kind), data.steps, data.rows.columns).fit(data.rows, data.labels)
        manifest = draft(name, data.rows.columns)
        packed = pack(pipeline, manifest, data.asked, lambda _: None)
        parity = compare(pipeline, packed.scorer(manifest), data.asked)
    except JobError as error:
        return Outcome(Served.REFUSED, reason=error.message)
    except Exception as error:  # noqa: BLE001 - what no one foresaw is what this counts
        traceback.print_exc()
        return Outcome(Served.CRASHED, reason=f"{type(error).__name__}: {error}")
    served = Served.ONNX if packed.format is ModelFormat.ONNX else Served.SKOPS
    return Outcome(served, parity.equal, parity.gap, packed.reason, by_skops(pipeline, manifest, data.asked))


def by_skops(pipeline: Any, manifest: Manifest, rows: FeatureRows) -> str:
    """Return why skops cannot hold the pipeline; nothing when it comes back with the same answers."""
    try:
        parity = compare(pipeline, SkopsScorer.load(dump_pipeline(pipeline), manifest), rows)
    except ArchiveError as error:
        return str(error)
    return "" if parity.exact else str(parity)


def draft(name: str, columns: tuple[Column, ...]) -> Manifest:
    return Manifest(
        model="bench",
        version=1,
        columns=columns,
        classes=(),
        onnx_inputs=layout_of(columns),
        training_rows="",
        majority=0,
        data_sha256="",
        feedback_through=None,
        estimator=name,
        parameters={},
        libraries={},
    )


def measure_all(chosen: Callable[[str], bool]) -> Iterator[Row]:
    """Measure every estimator, and print a line for each."""
    for kind, usual in (("classifier", CLASSES), ("regressor", AMOUNTS)):
        for name, estimator in all_estimators(type_filter=kind):
            if not chosen(name):
                continue
            tables = OTHER_TABLES.get(name, usual)
            row = Row(name, kind, arguments_of(name), tables, tuple(measure(name, estimator, table(t)) for t in tables))
            print(f"{kind:10} {name:34} {row.worst.served:8} {remark(row)}", flush=True)
            yield row


def arguments_of(name: str) -> str:
    given = ARGUMENTS.get(name, {})
    shown = {k: [member for member, _ in v] if k == "estimators" else v for k, v in given.items()}
    return ", ".join(f"{key}={value}" for key, value in shown.items())


def remark(row: Row) -> str:
    """Say how near the answers are, or why it is not ONNX."""
    worst = row.worst
    if worst.served is Served.ONNX:
        gap = max(outcome.gap for outcome in row.outcomes)
        equal = min(outcome.equal for outcome in row.outcomes)
        what = "probabilities" if row.kind == "classifier" else "answers, in standard deviations,"
        return f"{equal:.2%} equal, {what} within {gap:.0e}" if gap else f"{equal:.2%} equal"
    text = re.sub(r"\s+", " ", worst.reason.replace("|", "/"))
    return text if len(text) <= LONGEST_REMARK else text[:LONGEST_REMARK].rstrip() + " …"


INTRODUCTION = """\
<!-- Generated by `python bench/estimators.py`: run it again, do not edit this page. -->

# Estimators

How each classifier and regressor of scikit-learn is stored and served. The training Job decides by itself: ONNX where
the export answers as the fitted pipeline does (labels equal on 99.9 % of the rows, probabilities within 0.001; a
regressor's answers within 0.001 standard deviations), else skops, which keeps the pipeline itself, else it refuses and
says why. The column skops says whether the model can be stored so too, which matters for parameters that ONNX cannot
express. `training.estimator` takes the classifiers that are not made of others.

Measured with {libraries} on bundled data, numbers alone and numbers with text, on at least {rows:,} rows each; the
worst of them counts.
"""


def page(rows: list[Row]) -> str:
    """Write docs/estimators.md."""
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    classifiers = section("Classifiers", [row for row in rows if row.kind == "classifier"])
    regressors = section("Regressors", [row for row in rows if row.kind == "regressor"])
    return "\n".join([INTRODUCTION.format(libraries=libraries, rows=ROWS), *classifiers, "", *regressors, ""])


def section(title: str, rows: list[Row]) -> list[str]:
    """Return a heading, the counts and the table."""
    counts = Counter(row.worst.served for row in rows)
    told = ", ".join(f"{counts[served]} {served}" for served in Served if counts[served])
    lines = [f"| `{row.name}` | {row.worst.served} | {fallback(row)} | {with_arguments(row)} |" for row in rows]
    return [f"## {title}", "", f"{len(rows)}: {told}.", "", "| class | served as | skops | |", "|-|-|-|-|", *lines]


def with_arguments(row: Row) -> str:
    """Return the remark, and the arguments that were given."""
    return f"{remark(row)}; with `{row.arguments}`" if row.arguments else remark(row)


def fallback(row: Row) -> str:
    if row.worst.served not in {Served.ONNX, Served.SKOPS}:
        return "–"
    return "no" if any(outcome.archive for outcome in row.outcomes) else "yes"


def stale(text: str) -> list[str]:
    """Return what is wrong with the page, without measuring."""
    names = [name for kind in ("classifier", "regressor") for name, _ in all_estimators(type_filter=kind)]
    listed = re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE)
    problems = [f"{name} {version(name)} is installed" for name in LIBRARIES if f"{name} {version(name)}" not in text]
    problems += [f"{name} is missing" for name in names if name not in listed]
    return problems + [f"{name} is no estimator" for name in listed if name not in names]


def main() -> int:
    """Measure, write and print; or check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="fail when docs/estimators.md is stale")
    parser.add_argument("--only", metavar="NAME", nargs="+", help="measure these alone, and write no page")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # small data: what does not converge is measured all the same
    if arguments.check:
        problems = stale(PAGE.read_text())
        print("\n".join([*problems, f"run {Path(__file__).name} again"] if problems else ["up to date"]))
        return 1 if problems else 0
    only = arguments.only
    rows = list(measure_all(lambda name: only is None or name in only))
    if only is None:
        PAGE.write_text(page(rows))
    served = Counter((row.kind, row.worst.served) for row in rows)
    figures = {
        "classifiers_parity": served["classifier", Served.ONNX],
        "regressors_parity": served["regressor", Served.ONNX],
        "crashes": served["classifier", Served.CRASHED] + served["regressor", Served.CRASHED],
    }
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
