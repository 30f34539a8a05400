"""The paired test keeps its level, whatever the metric; intervals hold the truth as often as they say."""

from dataclasses import replace

import numpy as np
import pytest

from evermodel.contract import Average, Measure, Metric
from evermodel.gate import mcnemar_p
from evermodel_runtime.evaluate.answers import ClassAnswers, NumberAnswers
from evermodel_runtime.evaluate.resampling import SWAPS
from evermodel_runtime.quality.wilson import wilson_interval

CLASSES = np.array(["no", "yes"], np.object_)
F1 = Measure(metric=Metric.F1, positive_class="yes")


def answered(right: float, rows: int = 400, *, seed: int = 0, disputed: float = 1.0) -> ClassAnswers:
    """Answer rows of which a fifth is yes; those that are not disputed are answered alike by all seeds."""
    shared = np.random.default_rng(99)
    truth = shared.random(rows) < 0.2
    correct = shared.random(rows) < right
    own, is_disputed = np.random.default_rng(seed), shared.random(rows) < disputed
    correct = np.where(is_disputed, own.random(rows) < right, correct)
    return ClassAnswers(CLASSES[truth.astype(int)], CLASSES[(truth == correct).astype(int)], CLASSES)


def numbers(spread: float, rows: int = 300, *, seed: int = 0) -> NumberAnswers:
    truth = np.arange(1.0, rows + 1)
    return NumberAnswers(truth, truth + spread * np.random.default_rng(seed).normal(size=rows))


@pytest.mark.parametrize("candidate_right", [0.86, 0.9, 0.93])
def test_for_accuracy_it_is_the_exact_test_of_mcnemar(candidate_right: float) -> None:
    ours, theirs = answered(candidate_right, seed=1), answered(0.86, seed=2)
    alone = int((ours.right() & ~theirs.right()).sum()), int((theirs.right() & ~ours.right()).sum())
    assert ours.swap_p(theirs, Measure()) == pytest.approx(mcnemar_p(*alone), rel=0.5, abs=2 / SWAPS)


@pytest.mark.parametrize(
    "measure", [F1, Measure(metric=Metric.MCC), Measure(metric=Metric.F1, average=Average.MACRO)], ids=str
)
def test_equal_classifiers_are_told_apart_no_more_often_than_the_level_says(measure: Measure) -> None:
    found = [
        answered(0.85, seed=2 * pair, disputed=0.5).swap_p(answered(0.85, seed=2 * pair + 1, disputed=0.5), measure)
        for pair in range(60)
    ]
    assert np.mean(np.array(found) <= 0.1) <= 0.2  # 6 of 60 are expected, 13 come once in 250 times
    assert 0.3 <= np.mean(np.array(found) <= 0.5) <= 0.7


def test_equal_regressors_are_told_apart_no_more_often_than_the_level_says() -> None:
    measure = Measure(metric=Metric.RMSE)
    found = [numbers(1.0, seed=2 * pair).swap_p(numbers(1.0, seed=2 * pair + 1), measure) for pair in range(60)]
    assert np.mean(np.array(found) <= 0.1) <= 0.2
    assert 0.3 <= np.mean(np.array(found) <= 0.5) <= 0.7


@pytest.mark.parametrize("metric", [Metric.RMSE, Metric.MAE, Metric.MAPE, Metric.R2])
def test_smaller_errors_win_and_larger_ones_lose(metric: Metric) -> None:
    small, large = numbers(1.0, seed=1), numbers(1.5, seed=2)
    measure = Measure(metric=metric)
    assert small.swap_p(large, measure) < 0.01
    assert large.swap_p(small, measure) > 0.9


def test_a_better_f1_wins() -> None:
    assert answered(0.97, seed=1).swap_p(answered(0.85, seed=2), F1) < 0.001
    assert answered(0.85, seed=2).swap_p(answered(0.97, seed=1), F1) > 0.9


def test_the_same_answers_are_no_better() -> None:
    answers = answered(0.9)
    assert answers.swap_p(answers, F1) == 1.0


def test_more_rows_than_blocks_are_swapped_together() -> None:
    assert (
        numbers(1.0, rows=20_000, seed=1).swap_p(numbers(1.1, rows=20_000, seed=2), Measure(metric=Metric.MAE)) < 1e-3
    )


def test_figures_are_the_same_each_time() -> None:
    ours, theirs = answered(0.9, seed=1), answered(0.88, seed=2)
    assert ours.swap_p(theirs, F1) == ours.swap_p(theirs, F1)
    assert ours.interval(F1) == ours.interval(F1)


def test_the_interval_of_accuracy_is_close_to_wilsons() -> None:
    answers = answered(0.9, rows=1000)
    found = answers.interval(Measure())
    assert found == pytest.approx(wilson_interval(int(answers.right().sum()), 1000), abs=0.005)


def test_intervals_hold_the_truth() -> None:
    measure = Measure(metric=Metric.RMSE)
    intervals = [numbers(1.0, seed=seed).interval(measure) for seed in range(50)]
    held = [low <= 1.0 <= high for low, high in (interval for interval in intervals if interval is not None)]
    assert 43 <= sum(held) <= 50  # 47.5 are expected, fewer than 43 come once in 100 times


def test_what_has_no_value_has_no_interval() -> None:
    answers = answered(0.9)
    no_yes = replace(answers, truth=np.full(400, "no", np.object_))
    assert no_yes.interval(Measure(metric=Metric.RECALL, positive_class="yes")) is None
