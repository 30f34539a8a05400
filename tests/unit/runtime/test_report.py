"""What a person reads of an evaluation: the figures of the scores, and nothing of the data as markup."""

from html.parser import HTMLParser

import msgspec
import numpy as np
import pytest
from sklearn import metrics as oracle
from tests.unit.runtime.made_runs import as_csv, make_evaluate_run, make_source, make_table, make_train_run
from tests.unit.runtime.memory_hub import MemoryHub, surroundings

from evermodel.contract import EvaluationReport, Measure, Metric, Slice, Task
from evermodel_runtime.evaluate.answers import ClassAnswers
from evermodel_runtime.evaluate.job import evaluate
from evermodel_runtime.evaluate.report import ClassReport, NumberReport, Report, _of_classes
from evermodel_runtime.train.job import train

HOSTILE = "<script>alert('x')</script>"


class Page(HTMLParser):
    """The elements of a page, with their attributes, and its text."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def evaluated(**changes: object) -> tuple[MemoryHub, EvaluationReport]:
    hostile = [
        {**row, HOSTILE: HOSTILE if row["height"] > 0 else "b", "kind": HOSTILE if row["kind"] == "rose" else "tulip"}
        for row in make_table(300)
    ]
    hub = MemoryHub(datasets={"flowers.csv": as_csv(hostile)})
    report = train(make_train_run(data=make_source(features=("height", "width", HOSTILE))), surroundings(hub))
    run = make_evaluate_run(
        report.manifest,
        report.data_sha256,
        champion=report.manifest,
        data=make_source(features=("height", "width", HOSTILE)),
        slices=(Slice(column=HOSTILE), Slice(column="nowhere")),
        **changes,
    )
    return hub, evaluate(run, surroundings(hub))


def test_nothing_of_the_data_is_markup() -> None:
    hub, done = evaluated()
    assert done.report is not None
    page = Page(hub.blob(done.report.html))
    assert "script" not in {tag for tag, _ in page.elements}
    assert HOSTILE in "".join(page.text)
    loaded = [name for _, attributes in page.elements for name in attributes if name in {"src", "href", "onload"}]
    assert loaded == []
    assert b"url(" not in hub.blob(done.report.html)


def test_the_page_shows_the_figures_and_a_name_for_each_picture() -> None:
    hub, done = evaluated(metrics=(Measure(metric=Metric.RECALL, positive_class="lily"),))
    assert done.report is not None
    assert done.reference is not None
    page = Page(hub.blob(done.report.html))
    text = " ".join(page.text)
    assert f"{done.reference.candidate:.4g}" in text
    pictures = [attributes for tag, attributes in page.elements if tag == "svg"]
    assert {picture["aria-label"] for picture in pictures} == {
        "ROC curve",
        "Precision and recall",
        "Calibration",
        "Permutation importance",
    }
    assert {picture["role"] for picture in pictures} == {"img"}
    assert "Slices by nowhere of the reference rows: the data have no such column." in text
    assert "recall of lily on the reference rows: without a value there." in text


def test_the_report_is_data_as_well() -> None:
    hub, done = evaluated(metrics=(Measure(metric=Metric.RECALL, positive_class="tulip"),))
    assert done.report is not None
    report = msgspec.json.decode(hub.blob(done.report.json), type=Report)
    (only,) = report.sets
    assert (report.format, only.name, only.score) == (1, "reference", done.reference)
    assert only.interval is not None
    assert only.interval[0] < only.score.candidate < only.interval[1]
    assert isinstance(only.detail, ClassReport)
    assert sum(map(sum, only.detail.confusion)) == only.score.rows
    assert only.champion_metrics == pytest.approx(only.score.metrics, abs=1e-5)
    assert "recall of tulip" in only.champion_metrics
    assert only.importance is not None
    worth = {one.column: one.mean for one in only.importance.features}
    assert list(worth) == ["height", "width", HOSTILE]
    assert max(worth.values()) > 0.2
    assert evaluated(metrics=(Measure(metric=Metric.RECALL, positive_class="tulip"),))[1].report == done.report


@pytest.mark.parametrize("seed", range(3))
def test_calibration_and_confusion_are_those_of_scikit_learn(seed: int) -> None:
    random = np.random.default_rng(seed)
    classes = np.array(["a", "b"], np.object_)
    sure = random.random(200)
    truth, said = classes[(random.random(200) < sure).astype(int)], classes[(sure > 0.5).astype(int)]
    found = _of_classes(ClassAnswers(truth, said, classes, np.column_stack((1 - sure, sure))))
    assert found.confusion == tuple(map(tuple, oracle.confusion_matrix(truth, said).tolist()))
    assert found.brier == pytest.approx(2 * oracle.brier_score_loss(truth == "b", sure))
    assert found.expected_calibration_error is not None
    assert 0 <= found.expected_calibration_error < 0.2
    assert sum(one.rows for one in found.calibration) == 200


def test_numbers_have_quantiles_and_residuals() -> None:
    source = make_source(uri="sklearn://diabetes", target="target")
    hub = MemoryHub()
    rmse = Measure(metric=Metric.RMSE)
    regression = make_train_run(data=source, task=Task.REGRESSION, estimator="Ridge", objective=rmse)
    report = train(regression, surroundings(hub))
    done = evaluate(
        make_evaluate_run(report.manifest, report.data_sha256, data=source, objective=rmse), surroundings(hub)
    )
    assert done.report is not None
    detail = msgspec.json.decode(hub.blob(done.report.json), type=Report).sets[0].detail
    assert isinstance(detail, NumberReport)
    errors = [error for _, error in detail.quantiles]
    assert errors == sorted(errors)
    assert detail.quantiles[-1][0] == "100%"
    labels = {
        attributes.get("aria-label") for tag, attributes in Page(hub.blob(done.report.html)).elements if tag == "svg"
    }
    assert labels == {"Predicted against actual", "Residuals", "Permutation importance"}
