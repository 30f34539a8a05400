"""Metrics are those of scikit-learn, which is the oracle here and too slow to import in the Job."""

import math
import warnings
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics as oracle

from evermodel.contract import Average, Measure, Metric
from evermodel_runtime.evaluate.answers import ClassAnswers, NumberAnswers, Texts
from evermodel_runtime.evaluate.metrics import average_precision, precision_recall_curve, roc_auc, roc_curve

CLASSES = np.array(["a", "b", "c", "d"], np.object_)
AVERAGED = {Metric.PRECISION: oracle.precision_score, Metric.RECALL: oracle.recall_score, Metric.F1: oracle.f1_score}


def alike(expected: Any) -> Any:
    return pytest.approx(expected, rel=1e-9, abs=1e-9, nan_ok=True)


def scores_of(answers: ClassAnswers) -> NDArray[np.floating[Any]]:
    assert answers.probabilities is not None
    return answers.probabilities


def made(seed: int, rows: int = 60, absent: str = "", never_said: str = "") -> ClassAnswers:
    """Answers with probabilities that tie often; some classes may have no rows, or never be said."""
    random = np.random.default_rng(seed)
    truth, said = (random.choice(CLASSES, size=rows) for _ in range(2))
    truth[truth == absent] = "b"
    said[said == never_said] = "b"
    weights = random.integers(1, 4, size=(rows, len(CLASSES))).astype(np.float64)
    return ClassAnswers(truth, said, CLASSES, weights / weights.sum(axis=1, keepdims=True))


CASES = [
    pytest.param(made(0), id="all classes occur"),
    pytest.param(made(1, absent="d"), id="a class without rows"),
    pytest.param(made(2, never_said="d"), id="a class that is never said"),
    pytest.param(made(3, absent="d", never_said="d"), id="a class that does not occur"),
    pytest.param(made(4, rows=3), id="three rows"),
]


@pytest.fixture(autouse=True)
def _silent() -> None:
    warnings.simplefilter("ignore")


@pytest.mark.parametrize("answers", CASES)
@pytest.mark.parametrize("average", list(Average))
@pytest.mark.parametrize("metric", list(AVERAGED))
def test_averages_over_classes(answers: ClassAnswers, metric: Metric, average: Average) -> None:
    expected = AVERAGED[metric](answers.truth, answers.said, average=average.value, zero_division=0)
    assert answers.value(Measure(metric=metric, average=average)) == alike(expected)


@pytest.mark.parametrize("answers", CASES)
@pytest.mark.parametrize("label", ["a", "c"])
@pytest.mark.parametrize("metric", list(AVERAGED))
def test_one_class(answers: ClassAnswers, metric: Metric, label: str) -> None:
    expected = AVERAGED[metric](answers.truth, answers.said, labels=[label], average="macro", zero_division=math.nan)
    found = answers.value(Measure(metric=metric, positive_class=label))
    if metric is Metric.PRECISION and label in answers.truth and label not in answers.said:
        expected = 0.0  # the rows were there to be found
    assert (math.nan if found is None else found) == alike(expected)


@pytest.mark.parametrize("answers", CASES)
def test_metrics_of_the_whole_table(answers: ClassAnswers) -> None:
    for metric, expected in (
        (Metric.ACCURACY, oracle.accuracy_score),
        (Metric.BALANCED_ACCURACY, oracle.balanced_accuracy_score),
        (Metric.MCC, oracle.matthews_corrcoef),
    ):
        assert answers.value(Measure(metric=metric)) == alike(expected(answers.truth, answers.said))


def test_one_answer_to_everything_correlates_with_nothing() -> None:
    answers = made(5).always("a")
    assert answers.value(Measure(metric=Metric.MCC)) == oracle.matthews_corrcoef(answers.truth, answers.said) == 0.0


def one_hot(truth: Texts) -> NDArray[np.bool_]:
    return np.array(truth[:, None] == CLASSES[None, :], dtype=np.bool_)


@pytest.mark.parametrize("seed", range(4))
def test_areas_are_means_over_the_classes(seed: int) -> None:
    answers = made(seed, absent="d" if seed % 2 else "")
    occur = np.isin(CLASSES, answers.truth)
    truth, scores = one_hot(answers.truth)[:, occur], scores_of(answers)[:, occur]
    roc = oracle.roc_auc_score(truth, scores, average="macro")
    assert answers.value(Measure(metric=Metric.ROC_AUC)) == alike(roc)
    precision = oracle.average_precision_score(truth, scores, average="macro")
    assert answers.value(Measure(metric=Metric.PR_AUC)) == alike(precision)


@pytest.mark.parametrize("seed", range(4))
def test_areas_of_one_class(seed: int) -> None:
    answers = made(seed)
    truth, scores = answers.truth == "c", scores_of(answers)[:, 2]
    for metric, expected in (
        (Metric.ROC_AUC, oracle.roc_auc_score),
        (Metric.PR_AUC, oracle.average_precision_score),
    ):
        found = answers.value(Measure(metric=metric, positive_class="c"))
        assert found == alike(expected(truth, scores))


def test_two_classes_have_one_area_under_roc() -> None:
    random = np.random.default_rng(0)
    truth = random.choice(np.array(["no", "yes"], np.object_), size=50)
    sure = random.integers(0, 11, size=50) / 10
    answers = ClassAnswers(truth, truth, np.array(["no", "yes"], np.object_), np.column_stack((1 - sure, sure)))
    expected = oracle.roc_auc_score(truth == "yes", sure)
    assert answers.value(Measure(metric=Metric.ROC_AUC)) == alike(expected)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_log_loss(kind: type[np.floating[Any]]) -> None:
    answers = made(0)
    sure = scores_of(answers).astype(kind)
    sure[:5] = np.eye(4)[[0, 1, 2, 3, 0]]  # 0 and 1 are clipped as scikit-learn clips what its own models answer
    found = ClassAnswers(answers.truth, answers.said, CLASSES, sure).value(Measure(metric=Metric.LOG_LOSS))
    expected = oracle.log_loss(answers.truth, sure.astype(np.float64), labels=list(CLASSES))
    assert found == (alike(expected) if kind is np.float64 else pytest.approx(expected, rel=1e-6))


@pytest.mark.parametrize(
    ("metric", "label"),
    [
        pytest.param(Metric.RECALL, "z", id="recall of a class without rows"),
        pytest.param(Metric.ROC_AUC, "z", id="area of a class that the model does not know"),
        pytest.param(Metric.ROC_AUC, "d", id="area of a class without rows"),
    ],
)
def test_what_cannot_be_measured_has_no_value(metric: Metric, label: str) -> None:
    assert made(1, absent="d").value(Measure(metric=metric, positive_class=label)) is None


def test_without_probabilities_their_metrics_are_left_out() -> None:
    answers = made(0)
    known = set(answers.metrics())
    assert known - set(ClassAnswers(answers.truth, answers.said, CLASSES).metrics()) == {"rocAuc", "prAuc", "logLoss"}


def test_a_label_that_the_model_never_learnt_has_no_likelihood() -> None:
    answers = made(0)
    answers.truth[0] = "new"
    assert answers.value(Measure(metric=Metric.LOG_LOSS)) is None
    assert answers.value(Measure(metric=Metric.ROC_AUC)) is not None


@pytest.mark.parametrize("seed", range(3))
def test_curves(seed: int) -> None:
    random = np.random.default_rng(seed)
    positive, score = random.random(80) < 0.3, random.integers(0, 9, size=80) / 9
    false, true = roc_curve(positive, score)
    found = oracle.roc_curve(positive, score, drop_intermediate=False)
    assert (false.tolist(), true.tolist()) == (pytest.approx(found[0]), pytest.approx(found[1]))
    precision, recall = precision_recall_curve(positive, score)
    found = oracle.precision_recall_curve(positive, score)
    assert (precision[::-1].tolist(), recall[::-1].tolist()) == (
        pytest.approx(found[0][:-1]),
        pytest.approx(found[1][:-1]),
    )


def test_a_curve_of_no_rows_has_no_area() -> None:
    nothing = np.empty(0)
    assert math.isnan(roc_auc(nothing > 0, nothing))
    assert math.isnan(average_precision(np.zeros(3, np.bool_), np.arange(3.0)))


@pytest.mark.parametrize(
    ("truth", "said"),
    [
        pytest.param(np.arange(50.0), np.arange(50.0) + np.tile([1.0, -2.0], 25), id="numbers"),
        pytest.param(1e9 + np.arange(50.0), 1e9 + np.tile([1.0, 40.0], 25), id="large numbers close together"),
        pytest.param(np.array([0.0, 1.0, 2.0]), np.array([0.5, 1.0, 2.0]), id="a truth of 0"),
        pytest.param(np.full(5, 3.0), np.full(5, 3.0), id="a constant truth, found"),
        pytest.param(np.full(5, 3.0), np.arange(5.0), id="a constant truth, missed"),
    ],
)
def test_metrics_of_numbers(truth: NDArray[np.float64], said: NDArray[np.float64]) -> None:
    assert NumberAnswers(truth, said).metrics() == alike(
        {
            "rmse": oracle.root_mean_squared_error(truth, said),
            "mae": oracle.mean_absolute_error(truth, said),
            "mape": oracle.mean_absolute_percentage_error(truth, said),
            "r2": oracle.r2_score(truth, said),
        }
    )


def test_one_number_has_no_spread() -> None:
    assert "r2" not in NumberAnswers(np.ones(1), np.zeros(1)).metrics()
