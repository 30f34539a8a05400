"""Permutation importance of models whose rule is known: what a column is worth follows from the rule."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from itertools import count

import numpy as np
import pytest
from tests.unit.runtime.made_runs import as_csv, make_evaluate_run, make_source, make_table, make_train_run
from tests.unit.runtime.memory_hub import MemoryHub, surroundings

from evermodel.contract import Column, ColumnKind, Manifest, Measure, Metric, Task
from evermodel_runtime.artifacts.manifests import StoredModel
from evermodel_runtime.artifacts.scorer import RowsRefusedError
from evermodel_runtime.data.rows import ColumnValues, FeatureRows, Inputs, Labels, Matrix
from evermodel_runtime.evaluate.bars import LETTERS, Bar, drawn_bars
from evermodel_runtime.evaluate.comparison import Comparison, HeldOut
from evermodel_runtime.evaluate.importance import (
    BUDGET_SECONDS,
    MOST_FEATURES,
    MOST_ROWS,
    REPEATS,
    Importance,
    left_out,
    permutation_importance,
)
from evermodel_runtime.evaluate.job import evaluate, score
from evermodel_runtime.train.job import train

ACCURACY = Measure()
RMSE = Measure(metric=Metric.RMSE)
HOSTILE = '"><script>alert(1)</script>&amp;'
Rule = Callable[[tuple[ColumnValues, ...]], Labels]


@dataclass(frozen=True)
class Ruled:
    """A model that is one rule."""

    manifest: Manifest
    rule: Rule

    @property
    def has_probabilities(self) -> bool:
        return False

    def predict(self, rows: Inputs) -> Labels:
        return self.rule(tuple(rows.T) if isinstance(rows, np.ndarray) else tuple(rows))

    def predict_with_probabilities(self, rows: Inputs) -> tuple[Labels, Matrix | None]:
        return self.predict(rows), None


def still() -> float:
    return 0.0


def measured(
    rule: Rule,
    columns: dict[str, ColumnValues],
    measure: Measure = ACCURACY,
    seconds: Callable[[], float] = still,
    truth: Labels | None = None,
) -> Importance:
    """Importance of the columns for a rule; without another truth the rule is always right."""
    described = tuple(
        Column(name=name, kind=ColumnKind.TEXT if values.dtype == np.object_ else ColumnKind.NUMBER)
        for name, values in columns.items()
    )
    manifest = Manifest(
        model="flowers", version=1, columns=described, task=measure.metric.task, classes=("rose", "tulip"),
        onnx_inputs="columns", training_rows="", data_sha256="", feedback_through=None, estimator="Rule",
        parameters={}, libraries={},
    )  # fmt: skip
    candidate = StoredModel(manifest, Ruled(manifest, rule), b"")
    features = FeatureRows(described, tuple(columns.values()))
    rows = HeldOut(rule(features.values) if truth is None else truth, features, None)
    return permutation_importance(candidate, Comparison.of(rows, candidate, None), measure, seconds)


def numbers(rows: int, seed: int) -> ColumnValues:
    return np.random.default_rng(seed).normal(size=rows).astype(np.float32)


def roses(chosen: np.ndarray) -> Labels:
    labels: Labels = np.where(chosen, "rose", "tulip").astype(np.object_)
    return labels


def by_first(columns: tuple[ColumnValues, ...]) -> Labels:
    return roses(columns[0] > 0)


def by_last(columns: tuple[ColumnValues, ...]) -> Labels:
    return roses(columns[-1] > 0)


def red_are_roses(columns: tuple[ColumnValues, ...]) -> Labels:
    return roses(columns[1] == "red")


def colours(rows: int) -> ColumnValues:
    return np.random.default_rng(5).choice(np.array(["red", "blue", "dark blue"], np.object_), rows)


@pytest.mark.parametrize(
    ("rule", "matters"),
    [pytest.param(by_first, "height", id="a number"), pytest.param(red_are_roses, "colour", id="a text")],
)
def test_only_the_column_of_the_rule_matters_and_by_as_much_as_chance_no_longer_gets_right(
    rule: Rule, matters: str
) -> None:
    columns = {"height": numbers(1500, 0), "colour": colours(1500), "level": np.ones(1500, np.float32)}

    found = measured(rule, columns)

    worth = {one.column: one for one in found.features}
    share = float(np.mean(rule(tuple(columns.values())) == "rose"))
    assert found.baseline == 1.0
    assert worth[matters].mean == pytest.approx(2 * share * (1 - share), abs=0.03)
    assert worth[matters].deviation > 0
    others = [(one.mean, one.deviation) for name, one in worth.items() if name != matters]
    assert others == [(0.0, 0.0), (0.0, 0.0)]


def test_an_error_that_grows_counts_as_lost() -> None:
    found = measured(
        lambda columns: 3 * columns[0].astype(np.float64), {"x": numbers(2000, 0), "y": numbers(2000, 1)}, RMSE
    )
    assert found.baseline == 0.0
    assert found.features[0].mean == pytest.approx(3 * math.sqrt(2), rel=0.05)
    assert found.features[1].mean == 0.0


def test_a_column_that_misleads_is_worth_less_than_nothing() -> None:
    height = numbers(1000, 0)
    found = measured(by_first, {"height": height}, truth=roses(height <= 0))
    assert found.baseline == 0.0
    assert found.features[0].mean < -0.4


def test_mean_and_deviation_are_over_the_repeats() -> None:
    shuffles: list[float] = []

    def rule(columns: tuple[ColumnValues, ...]) -> Labels:
        shuffles.append(float(np.mean((columns[0] > 0) == (height > 0))))
        return by_first(columns)

    height = numbers(400, 3)
    found = measured(rule, {"height": height}, truth=roses(height > 0))
    drops = [1 - right for right in shuffles if right < 1]
    assert len(drops) == REPEATS == found.repeats
    assert len(set(drops)) > 1
    assert found.features[0].mean == pytest.approx(np.mean(drops), abs=1e-5)
    assert found.features[0].deviation == pytest.approx(np.std(drops), abs=1e-5)


def test_the_rows_are_shuffled_and_stay_as_they_were() -> None:
    height = numbers(300, 1)
    before = height.copy()
    seen = []

    def rule(columns: tuple[ColumnValues, ...]) -> Labels:
        seen.append(columns[0].copy())
        return by_first(columns)

    measured(rule, {"height": height})
    assert all(np.array_equal(np.sort(values), np.sort(before)) for values in seen)
    assert np.array_equal(height, before)


def test_of_many_rows_some_are_drawn_and_equal_runs_are_equal() -> None:
    rows = MOST_ROWS + 1000
    height = numbers(rows, 0)
    height.sort()
    columns = {"height": height, "width": numbers(rows, 1)}

    found = measured(by_first, columns)

    assert (found.rows, found.of_rows) == (MOST_ROWS, rows)
    assert found.features[0].mean == pytest.approx(0.5, abs=0.03)  # the first rows alone hold more of one class
    assert found == measured(by_first, columns)
    assert left_out("fresh", found) == (f"Importance of features: 2,000 of the {rows:,} fresh rows, drawn by seed 0.",)
    few = measured(by_first, {name: values[:MOST_ROWS] for name, values in columns.items()})
    assert few.rows == few.of_rows
    assert left_out("fresh", few) == ()


def test_of_wide_data_the_first_features_are_looked_at() -> None:
    columns = {f"x{place}": numbers(50, place) for place in range(MOST_FEATURES + 7)}
    found = measured(by_first, columns)
    assert [one.column for one in found.features] == list(columns)[:MOST_FEATURES]
    assert found.beyond == 7
    (said,) = left_out("reference", found)
    assert "the first 50 of the schema are looked at, not the 7 after them" in said


def test_what_the_time_does_not_suffice_for_is_named_and_changes_no_other_figure() -> None:
    columns = {name: numbers(200, place) for place, name in enumerate("abcd")}
    whole = measured(by_first, columns)
    ticks: Iterator[int] = count()
    step = BUDGET_SECONDS / (2 * REPEATS + 2.5)  # two columns, and a part of the third

    hurried = measured(by_first, columns, seconds=lambda: next(ticks) * step)

    assert hurried.features == whole.features[:2]
    assert hurried.out_of_time == ("c", "d")
    assert left_out("fresh", hurried) == ("Importance on the fresh rows of c, d: the 5 s for it were over.",)


def test_rows_that_the_model_refuses_cost_only_their_column() -> None:
    def rule(columns: tuple[ColumnValues, ...]) -> Labels:
        if not np.array_equal(columns[0], columns[1]):
            raise RowsRefusedError("no neighbours")
        return by_last(columns)

    height = numbers(100, 0)
    columns = {"height": height, "again": height, "width": numbers(100, 1)}
    found = measured(rule, columns)
    assert found.unanswered == ("height", "again")
    assert found.features == measured(by_last, columns).features[2:]
    (said,) = left_out("fresh", found)
    assert said.startswith("Importance on the fresh rows of height, again: the model does not answer shuffled values")


def test_a_metric_without_a_value_on_the_drawn_rows_has_no_importances() -> None:
    recall = Measure(metric=Metric.RECALL, positive_class="lily")
    found = measured(by_first, {"height": numbers(100, 0)}, recall)
    assert (found.baseline, found.features) == (None, ())
    (said,) = left_out("fresh", found)
    assert "recall of lily has no value on the 100 drawn rows" in said


def test_a_regressor_of_neighbours_that_finds_none_is_still_judged() -> None:
    random = np.random.default_rng(0)
    table = [{"x": x, "again": x, "price": 2 * x} for x in random.uniform(0, 100, 400).round(2).tolist()]
    hub, source = MemoryHub(datasets={"flowers.csv": as_csv(table)}), make_source(target="price")
    run = make_train_run(
        data=source, task=Task.REGRESSION, estimator="RadiusNeighborsRegressor", parameters={"radius": 0.3},
        objective=RMSE, preprocessing=(),
    )  # fmt: skip
    trained = train(run, surroundings(hub))
    done = evaluate(
        make_evaluate_run(trained.manifest, trained.data_sha256, data=source, objective=RMSE), surroundings(hub)
    )
    assert done.reference is not None
    assert done.report is not None
    assert b"the model does not answer shuffled values" in hub.blob(done.report.html)


def test_scores_alone_pay_for_no_report() -> None:
    hub, source = MemoryHub(datasets={"flowers.csv": as_csv(make_table(200))}), make_source(id_column="id")
    trained = train(make_train_run(data=source), surroundings(hub))
    run, stored = make_evaluate_run(trained.manifest, trained.data_sha256, data=source), set(hub.blobs)

    alone = score(run, surroundings(hub)).told()

    assert set(hub.blobs) == stored
    assert alone.report is None
    assert alone.reference is not None
    explained = evaluate(run, surroundings(hub))
    assert alone.reference == explained.reference
    assert len(hub.blobs) == len(stored) + 2


class Picture(HTMLParser):
    """Elements of an SVG, and its text."""

    def __init__(self, svg: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(svg)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(HOSTILE, id="markup"),
        pytest.param("x" * (LETTERS - 2) + "<b>&", id="cut within markup"),
        pytest.param("' onload='alert(1)", id="an attribute"),
    ],
)
def test_a_name_is_text_in_full_beside_its_bar(name: str) -> None:
    picture = Picture(drawn_bars(name, name, [Bar(name, 0.25, 0.01)]))
    assert {tag for tag, _ in picture.elements} == {"svg", "text", "g", "title", "rect", "line", "path"}
    assert not {key for _, attributes in picture.elements for key in attributes if key.startswith("on")}
    assert f"{name}: 0.25 ± 0.01" in picture.text
    assert (name if len(name) <= LETTERS else f"{name[: LETTERS - 1]}…") in picture.text


def test_bars_grow_with_their_value_from_one_zero_and_stay_within_the_picture() -> None:
    bars = [Bar("a", 0.4, 0.1), Bar("b", 0.1, 0.0), Bar("c", 0.0, 0.0), Bar("d", -0.2, 0.05)]
    elements = Picture(drawn_bars("t", "lost", bars)).elements
    widths = [(float(one["x"] or 0), float(one["width"] or 0)) for tag, one in elements if tag == "rect"]
    (a, b, c, d) = widths
    assert a[1] == pytest.approx(4 * b[1], abs=0.5)
    assert c[1] == 0
    assert a[0] == b[0] == c[0] == pytest.approx(d[0] + d[1], abs=0.11)
    assert d[1] == pytest.approx(2 * b[1], abs=0.3)
    ends = [float(one[key] or 0) for tag, one in elements if tag == "line" for key in ("x1", "x2")]
    assert min(ends) >= 200
    assert max(ends) <= 640 - 12


def test_bars_of_nothing_but_zeros_are_drawn() -> None:
    assert drawn_bars("t", "lost", [Bar("a", 0.0, 0.0)]).count("<rect") == 1
