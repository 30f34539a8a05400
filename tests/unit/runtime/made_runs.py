"""Valid files and runs, each to be changed in one point by a test."""

from __future__ import annotations

import csv
import io
from typing import Any

import msgspec
import numpy as np

from evermodel.contract import DataSource, EvaluateRun, PreprocessingStep, TrainRun
from evermodel_runtime.data.bundled import bundled_csv

DIGITS_ROWS = "sklearn://digits?rows=:700"
ENCODE_COLOUR = PreprocessingStep(transformer="OneHotEncoder", columns=("colour",))


def make_source(**changes: Any) -> DataSource:
    return msgspec.structs.replace(DataSource(uri="hub://flowers.csv", target="kind"), **changes)


def make_train_run(**changes: Any) -> TrainRun:
    run = TrainRun(
        namespace="team",
        model="flowers",
        version=1,
        hub_url="http://hub.invalid",
        data=make_source(),
        estimator="DecisionTreeClassifier",
    )
    return msgspec.structs.replace(run, **changes)


def make_evaluate_run(candidate: str, data_sha256: str, **changes: Any) -> EvaluateRun:
    run = EvaluateRun(
        namespace="team",
        model="flowers",
        version=2,
        hub_url="http://hub.invalid",
        data=make_source(),
        data_sha256=data_sha256,
        candidate=candidate,
    )
    return msgspec.structs.replace(run, **changes)


def make_table(rows: int = 60, *, seed: int = 0) -> list[dict[str, Any]]:
    """Two numbers, a text and the class that follows from them."""
    random = np.random.default_rng(seed)
    table = []
    for number in range(rows):
        height, width = random.normal(size=2).round(3).tolist()
        colour = str(random.choice(["red", "green", "dark blue"]))
        kind = "rose" if height + (colour == "red") > 0.3 else "tulip"
        table.append({"id": f"f{number}", "height": height, "width": width, "colour": colour, "kind": kind})
    return table


def make_numbers(rows: int = 60, *, seed: int = 0) -> list[dict[str, Any]]:
    """Only numbers to learn from."""
    return [{name: row[name] for name in ("height", "width", "kind")} for row in make_table(rows, seed=seed)]


def as_csv(table: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, table[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return text.getvalue().encode()


def digits(rows: str) -> tuple[list[list[float]], list[int]]:
    """Pixels and labels of some of the bundled digits."""
    table = list(csv.reader(io.StringIO(bundled_csv("digits", rows).decode())))[1:]
    return [[float(cell) for cell in row[:-1]] for row in table], [int(row[-1]) for row in table]


def turned(images: list[list[float]]) -> list[list[float]]:
    """Turn images by 90 degrees."""
    turned_images: list[list[float]] = (
        np.rot90(np.array(images).reshape(-1, 8, 8), axes=(1, 2)).reshape(-1, 64).tolist()
    )
    return turned_images
