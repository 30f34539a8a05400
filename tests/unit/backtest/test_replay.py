"""Every answer is given before its label is known, by models that saw earlier labels alone."""

from dataclasses import asdict

import numpy as np
import pyarrow as pa
import pytest

from evermodel.gate import GateRules
from evermodel_runtime.backtest.generated import TARGET, Change, Family, Recipe, generate
from evermodel_runtime.backtest.hub import ReplayHub
from evermodel_runtime.backtest.jobs import Jobs, declare
from evermodel_runtime.backtest.loop import Loop, LoopRules
from evermodel_runtime.backtest.replay import Settings, below, replay, replay_loop, right_answers
from evermodel_runtime.backtest.schedules import replay_schedules
from evermodel_runtime.backtest.stream import Stream, open_stream, read_rows, usable_features
from evermodel_runtime.data.failure import JobError
from evermodel_runtime.data.table import TEXT, Table
from evermodel_runtime.quality.detector import Detector, DetectorSettings

TREE = Settings(estimator="DecisionTreeClassifier", parameters={}, threshold=None, batch=50)


def unheard(_label: int, _line: str) -> None: ...


def table(columns: dict[str, list[float] | list[str]]) -> Table:
    cells = {
        name: pa.chunked_array([pa.array(values, TEXT if isinstance(values[0], str) else pa.float64())])
        for name, values in columns.items()
    }
    return Table("made.csv", tuple(cells), cells, None)


def coins(rows: int = 3_000) -> Stream:
    """Labels that no feature tells: whoever is right more often than half the time has seen them."""
    random = np.random.default_rng(1)
    heads = ["heads" if head else "tails" for head in random.integers(0, 2, rows)]
    return open_stream(table({"x": random.random(rows).tolist(), "y": random.random(rows).tolist(), "coin": heads}))


def changed(rows: int = 3_000) -> Stream:
    recipe = Recipe(family=Family.HYPERPLANE, change=Change.ABRUPT, rows=rows, seed=2)
    return open_stream(generate(recipe), TARGET)


@pytest.mark.parametrize("batch", [1, 50])
def test_no_strategy_tells_a_coin_although_its_models_learn_rows_by_heart(batch: int) -> None:
    settings = Settings(estimator="DecisionTreeClassifier", parameters={}, threshold=0.8, batch=batch)
    result = replay(coins(1_500), settings, unheard)
    assert result.fits > 1, "threshold 0.8 is above what is possible, so the loop has to retrain"
    shares = {"static": result.static, "scheduled": result.scheduled, "loop": result.loop}
    assert shares == {name: pytest.approx(0.5, abs=0.05) for name in shares}
    assert result.oracle < 0.6  # it chooses by the labels to come, among models that have not seen them


def test_the_replay_adds_up() -> None:
    told: list[tuple[int, str]] = []
    stream = changed()
    result = replay(stream, TREE, lambda label, line: told.append((label, line)))
    assert (result.rows, result.first) == (3_000, 300)
    assert result.alarms == sum("alarm" in line for _, line in told) > 0
    assert result.runs == sum("trained on" in line for _, line in told) > 0
    assert result.promotions == sum("is better than the champion" in line for _, line in told) > 0
    assert result.loop > result.static
    assert max(result.scheduled, result.static) <= result.oracle


def test_the_alarm_is_that_of_the_detector_on_the_first_version_alone() -> None:
    stream = changed()
    run = declare(usable_features(stream), stream.target, "DecisionTreeClassifier", {})
    jobs = Jobs(ReplayHub(stream.first_rows()), run)
    first = jobs.train_first()
    rows = read_rows(stream, first.model.manifest.columns)
    static = right_answers(first, rows, slice(stream.first, len(stream)))
    settings = DetectorSettings(threshold=0.7, tolerance=0.01, false_alarm_every=100_000)
    alone = Detector(settings)
    alone.replay(enumerate(static.tolist(), 1))
    told: list[tuple[int, str]] = []
    loop = Loop(
        jobs,
        LoopRules(gate=GateRules(threshold=0.7, min_samples=400), detector=settings),
        first,
        lambda label, line: told.append((label, line)),
    )
    looped = replay_loop(stream, rows, loop, jobs.hub.ledger, 50)
    alarm = next(label for label, line in told if line.startswith("alarm"))
    promoted = next(label for label, line in told if "is better than the champion" in line)
    assert alone.crossing is not None
    assert alarm == alone.crossing.seq
    assert looped[:promoted].tolist() == static[:promoted].tolist(), "until then the first version answers"
    assert [record.seq for record in jobs.hub.ledger] == list(range(1, len(stream) - stream.first + 1))


def test_a_schedule_begins_with_the_first_version() -> None:
    stream = changed()
    run = declare(usable_features(stream), stream.target, "DecisionTreeClassifier", {})
    jobs = Jobs(ReplayHub(stream.first_rows()), run)
    rows = read_rows(stream, jobs.train_first().model.manifest.columns)
    never_right = np.zeros(len(stream) - stream.first, dtype=np.bool_)
    schedules = replay_schedules(stream, rows, run, never_right)
    assert len(schedules.scheduled) == len(schedules.oracle) == len(never_right)
    assert not schedules.scheduled[: stream.first].any()
    assert schedules.scheduled[stream.first :].any()


@pytest.mark.parametrize(
    ("score", "rows", "threshold"),
    [
        pytest.param(0.9, 400, 0.892, id="half a standard error below"),
        pytest.param(1.0, 400, 0.999, id="also below a perfect score"),
        pytest.param(0.02, 100, 0.05, id="never where there is nothing to detect"),
    ],
)
def test_the_threshold_is_a_little_below_the_first_score(score: float, rows: int, threshold: float) -> None:
    assert below(score, rows) == pytest.approx(threshold, abs=0.001)


def test_dates_and_empty_columns_are_left_out_and_values_may_be_missing_later() -> None:
    random = np.random.default_rng(0)
    rows = 1_000
    x = random.random(rows)
    gaps = [float("nan") if place > 500 and place % 7 == 0 else value for place, value in enumerate(x.tolist())]
    stream = open_stream(
        table(
            {
                "when": [f"2026-01-01T{place}" for place in range(rows)],
                "later": [float("nan")] * 500 + [1.0] * 500,
                "x": gaps,
                "colour": ["red" if value > 0.7 else "blue" for value in x],
                "class": ["high" if value > 0.5 else "low" for value in x],
            }
        )
    )
    assert usable_features(stream) == ("x", "colour")
    result = replay(stream, TREE, unheard)
    assert result.static > 0.8
    assert set(asdict(result)) >= {"static", "scheduled", "loop", "oracle", "fits"}


def test_a_stream_that_is_too_short_says_how_long_it_must_be() -> None:
    with pytest.raises(JobError, match="has 99 rows; a stream of at least 100"):
        open_stream(table({"x": [1.0] * 99, "y": ["a"] * 99}))


def test_another_target_is_found_by_name() -> None:
    made = table({"y": ["a", "b"] * 300, "x": [1.0, 2.0] * 300})
    assert open_stream(made, "y").target == "y"
    with pytest.raises(JobError, match="no column 'z', which --target names"):
        open_stream(made, "z")


@pytest.mark.parametrize(
    "numbers",
    [
        pytest.param([place / 7 for place in range(600)], id="fractions"),
        pytest.param([float(place % 101) for place in range(600)], id="whole numbers"),
    ],
)
def test_a_target_that_is_a_quantity_is_refused(numbers: list[float]) -> None:
    with pytest.raises(JobError, match=r"'y' has \d+ different numbers.* replays classes only"):
        open_stream(table({"x": [1.0, 2.0] * 300, "y": numbers}))


@pytest.mark.parametrize(
    "classes",
    [
        pytest.param([float(place % 100) for place in range(600)], id="a hundred numbers"),
        pytest.param([f"street {place % 150}" for place in range(600)], id="many words"),
        pytest.param(["none", *(str(place % 150) for place in range(599))], id="not all of them numbers"),
    ],
)
def test_a_target_of_many_classes_is_none(classes: list[float] | list[str]) -> None:
    assert len(open_stream(table({"x": [1.0, 2.0] * 300, "y": classes}))) == 600


def test_a_world_of_few_categories_is_learnt_again_although_its_rows_repeat() -> None:
    random = np.random.default_rng(0)
    rows = 2_000
    colours, shapes, sizes = (random.choice(list(kinds), rows) for kinds in ("rgb", "cst", "SML"))
    before, after = (colours == "r") & (sizes == "S"), (colours == "g") | (shapes == "c")
    classes = np.where(np.arange(rows) < rows // 2, before, after)
    stream = open_stream(
        table(
            {
                "colour": colours.tolist(),
                "shape": shapes.tolist(),
                "size": sizes.tolist(),
                "class": ["yes" if one else "no" for one in classes],
            }
        )
    )
    result = replay(stream, TREE, unheard)
    assert result.static < 0.8
    assert result.loop > 0.9
