"""Which data are fitted on, with a made-up accuracy in place of a model."""

import numpy as np
import pytest

from evermodel.contract import Column, ColumnKind
from evermodel_runtime.data.rows import FeatureRows
from evermodel_runtime.train.windows import Judge, LabelledRows, Score, Window, choose_data, window_starts

COLUMNS = (Column(name="n", kind=ColumnKind.NUMBER),)


def rows(count: int, first: int = 0, classes: int = 2) -> LabelledRows:
    numbers = np.arange(first, first + count)
    return LabelledRows(FeatureRows(COLUMNS, (numbers.astype(np.float32),)), numbers % classes)


def oldest(data: LabelledRows) -> int:
    return int(data.rows.values[0][0])


def always_the_same(_candidate: LabelledRows, _newest: LabelledRows) -> Score:
    return Score(0.9)


def shorter_is_better(candidate: LabelledRows, _newest: LabelledRows) -> Score:
    return Score(1 / len(candidate))


def longer_is_better(candidate: LabelledRows, _newest: LabelledRows) -> Score:
    return Score(float(len(candidate)))


SOURCE = rows(1000)


@pytest.mark.parametrize(
    ("feedback", "judge", "window", "fitted", "of_feedback"),
    [
        pytest.param(rows(0, 1000), shorter_is_better, Window.ALL, 1000, 0, id="no feedback, all data"),
        pytest.param(rows(79, 1000), shorter_is_better, Window.ALL, 1079, 79, id="too little to validate on, all data"),
        pytest.param(rows(400, 1000), always_the_same, Window.ALL, 1400, 400, id="a tie, all data"),
        pytest.param(rows(400, 1000), longer_is_better, Window.ALL, 1400, 400, id="more is better, all data"),
        # 300 rows before the newest 100: windows of 300, 150 and 75, of which 75 + 100 are fitted on in the end
        pytest.param(rows(400, 1000), shorter_is_better, Window.RECENT, 175, 175, id="less is better, newest window"),
        pytest.param(rows(400, 1000, 1), shorter_is_better, Window.ALL, 1400, 400, id="one class only is no window"),
    ],
)
def test_the_choice(feedback: LabelledRows, judge: Judge, window: Window, fitted: int, of_feedback: int) -> None:
    choice = choose_data(SOURCE, feedback, judge)

    assert (choice.window, len(choice.data), choice.feedback_rows) == (window, fitted, of_feedback)


@pytest.mark.parametrize(
    ("gain", "window"),
    [
        pytest.param(0.02, Window.ALL, id="a gain that chance makes on 100 rows, all data"),
        pytest.param(0.06, Window.RECENT, id="one that it hardly makes, a window"),
    ],
)
def test_a_window_must_be_better_by_more_than_a_little(gain: float, window: Window) -> None:
    choice = choose_data(SOURCE, rows(400, 1000), lambda candidate, _: Score(0.8 + gain * (len(candidate) < 1000)))
    assert choice.window is window


def test_after_an_alarm_any_gain_will_do_for_the_world_has_changed() -> None:
    choice = choose_data(SOURCE, rows(400, 1000), lambda candidate, _: Score(0.8 + 0.02 * (len(candidate) < 1000)), 200)
    assert choice.window is Window.RECENT


@pytest.mark.parametrize("scale", [0.001, 1.0, 1000.0])
@pytest.mark.parametrize(
    ("gain", "window"),
    [
        pytest.param(0.0, Window.ALL, id="equal errors, all data"),
        pytest.param(0.02, Window.ALL, id="a gain that chance makes of such differences, all data"),
        pytest.param(0.1, Window.RECENT, id="one that it hardly makes, a window"),
    ],
)
def test_of_errors_the_differences_row_by_row_say_what_a_little_is(gain: float, window: Window, scale: float) -> None:
    random = np.random.default_rng(0)
    hard = random.exponential(10.0, 100)  # rows differ much more among themselves than candidates on a row
    noise = random.permutation(np.tile([-1.0, 1.0], 50))  # of mean 0: half a standard error of 100 is 0.05

    def judge(candidate: LabelledRows, _newest: LabelledRows) -> Score:
        losses = scale * (hard + (noise - gain if len(candidate) < 1000 else 0.0))
        return Score(-float(losses.mean()), losses)

    assert choose_data(SOURCE, rows(400, 1000), judge).window is window


@pytest.mark.parametrize(
    ("source", "scores", "tried"),
    [
        # of 3,000 rows to fit on, the others judge: windows of 3,000, 1,500, 750, 375, 187, 93
        pytest.param(1000, [0.9], 7, id="all windows of a world at rest where length does not matter"),
        pytest.param(1000, [0.9, 0.9, 0.9, 0.89, 0.85], 5, id="none that is shorter than one that is worse"),
        pytest.param(1000, [0.8, 0.81, 0.82, 0.85, 0.84, 0.8], 6, id="nor than one that is worse than a better one"),
        pytest.param(500, [0.9], 6, id="not all feedback where the source is hardly more"),
    ],
)
def test_windows_are_tried_while_shorter_ones_may_be_better(source: int, scores: list[float], tried: int) -> None:
    left = iter([*scores, *[scores[-1]] * 10])
    choice = choose_data(rows(source), rows(3400, source), lambda _candidate, _newest: Score(next(left)))
    assert choice.tried == tried


def test_after_an_alarm_all_windows_are_tried_for_an_estimate_of_the_change_may_be_off() -> None:
    choice = choose_data(SOURCE, rows(2000, 1000), lambda data, _: Score(1.0 if len(data) > 1000 else 0.1), 400)
    assert choice.tried == 1 + 3


def test_the_newest_rows_judge_and_are_fitted_on_in_the_end() -> None:
    judged_on: list[tuple[int, int]] = []

    def judge(candidate: LabelledRows, newest: LabelledRows) -> Score:
        assert int(candidate.rows.values[0][-1]) < oldest(newest)
        judged_on.append((oldest(newest), len(newest)))
        return shorter_is_better(candidate, newest)

    choice = choose_data(SOURCE, rows(400, 1000), judge)

    assert set(judged_on) == {(1300, 100)}
    assert int(choice.data.rows.values[0][-1]) == 1399


def test_no_more_rows_judge_than_a_changed_world_has_shown() -> None:
    sizes = []

    def judge(_candidate: LabelledRows, newest: LabelledRows) -> Score:
        sizes.append(len(newest))
        return Score(0.5)

    choose_data(SOURCE, rows(4000, 1000), judge)

    assert set(sizes) == {400}


@pytest.mark.parametrize(
    ("since_change", "judged_on", "starts"),
    [
        pytest.param(200, 100, [3_200, 3_600, 3_800], id="all that is new judges or is learnt from"),
        pytest.param(1_000, 400, [0, 2_000, 3_000, 3_500], id="the newest of much that is new judge"),
        pytest.param(5_000, 400, [0, 1_500, 2_750], id="a change before all feedback"),
    ],
)
def test_after_an_alarm_windows_lie_around_the_change(since_change: int, judged_on: int, starts: list[int]) -> None:
    tried: list[tuple[int, int]] = []

    def judge(candidate: LabelledRows, newest: LabelledRows) -> Score:
        tried.append((oldest(candidate) - 1000, len(newest)))
        return Score(0.5)

    choice = choose_data(SOURCE, rows(4_000, 1_000), judge, since_change)

    assert tried == [(-1_000, judged_on), *((start, judged_on) for start in starts)]
    assert choice.tried == len(tried)


@pytest.mark.parametrize(
    ("count", "starts"),
    [
        pytest.param(49, [], id="too few"),
        pytest.param(50, [0], id="just enough"),
        pytest.param(400, [0, 200, 300, 350], id="halves"),
    ],
)
def test_windows_halve(count: int, starts: list[int]) -> None:
    assert list(window_starts(count)) == starts
