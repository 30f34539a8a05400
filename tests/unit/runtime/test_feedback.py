"""Records of production, read by the names of the columns that the version took that answered."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.runtime.made_runs import as_csv, make_evaluate_run, make_numbers, make_source, make_train_run
from tests.unit.runtime.memory_hub import MemoryHub, as_page, as_records, numbers, surroundings

from evermodel.contract import Column, ColumnKind, FreshRange, LabelledRecord, OfflineRun, PreprocessingStep, Scalar
from evermodel_runtime.artifacts.manifests import load_model
from evermodel_runtime.data.feedback import read_feedback
from evermodel_runtime.evaluate.job import evaluate
from evermodel_runtime.evaluate.offline import evaluate as evaluate_offline
from evermodel_runtime.evaluate.report import Report
from evermodel_runtime.train.job import train
from evermodel_runtime.train.notes import LONGEST_NOTE

A, B, C = numbers("a", "b", "c")
TEXT_B = Column(name="b", kind=ColumnKind.TEXT)
DATE_B = Column(name="b", kind=ColumnKind.DATE)


@pytest.mark.parametrize(
    ("taken", "row", "wanted", "expected"),
    [
        pytest.param((A, B), (1.0, 2.0), (A, B), [1.0, 2.0], id="the same columns"),
        pytest.param((A, B), (1.0, 2.0), (B, A), [2.0, 1.0], id="another order"),
        pytest.param((A, B, C), (1.0, 2.0, 3.0), (C, A), [3.0, 1.0], id="a column was dropped"),
        pytest.param((A, TEXT_B), (1.0, "2026-01-31"), (DATE_B,), ["2026-01-31T00:00:00"], id="text that was a date"),
    ],
)
def test_values_go_by_the_names_of_their_columns(
    taken: tuple[Column, ...], row: tuple[Scalar, ...], wanted: tuple[Column, ...], expected: list[Scalar]
) -> None:
    feedback = read_feedback(as_page(as_records([row], ["x"]), {1: taken}), wanted, "kind")

    assert [values.tolist() for values in feedback.rows.values] == [[value] for value in expected]
    assert (feedback.unfit, feedback.unusable, feedback.told) == ((), 0, "")


@pytest.mark.parametrize(
    ("taken", "wanted", "why"),
    [
        pytest.param({1: (A, B)}, (A, C), "which did not take 'c'", id="a column was added"),
        pytest.param({1: (A,)}, (A, B, C), "which did not take 'b', 'c'", id="two columns were added"),
        pytest.param({1: (A, B)}, (A, TEXT_B), "which took 'b' as a number, not as a text", id="a number is text now"),
        pytest.param({1: (A, TEXT_B)}, (A, B), "which took 'b' as a text, not as a number", id="text is a number now"),
        pytest.param({1: (A, DATE_B)}, (A, TEXT_B), "which took 'b' as a date, not as a text", id="a date is text now"),
        pytest.param({2: (A, B)}, (A, B), "whose columns are not known", id="of a version that nothing is known of"),
    ],
)
def test_records_of_other_columns_are_left_out_and_told(
    taken: dict[int, tuple[Column, ...]], wanted: tuple[Column, ...], why: str
) -> None:
    rows = [(1.0, 2.0)] * 1200
    feedback = read_feedback(as_page(as_records(rows, ["x"] * 1200), taken), wanted, "kind")

    assert (len(feedback), len(feedback.rows), feedback.unusable) == (0, 0, 0)
    assert feedback.told == f"Production records not used: 1,200 of version 1, {why}."


@pytest.mark.parametrize(
    ("once", "now", "told"),
    [
        pytest.param("kind", "kind", "", id="the same"),
        pytest.param(
            "price",
            "kind",
            "Production records not used: 2 of version 1, whose labels are of 'price', not of 'kind'.",
            id="another",
        ),
        pytest.param(None, "kind", "", id="of a version of an earlier image"),
        pytest.param("price", None, "", id="for a model of an earlier image"),
    ],
)
def test_labels_are_of_the_target(once: str | None, now: str | None, told: str) -> None:
    targets = {} if once is None else {1: once}

    feedback = read_feedback(as_page(as_records([(1.0,)] * 2, ["x"] * 2), {1: (A,)}, targets), (A,), now)

    assert (feedback.told, len(feedback)) == (told, 0 if told else 2)


def test_of_many_versions_three_are_named() -> None:
    records = [
        one for version in range(1, 6) for one in as_records([(1.0,)] * version, ["x"] * version, version=version)
    ]

    told = read_feedback(as_page(records, dict.fromkeys(range(1, 5), (A,))), (B,), "kind").told

    assert told.endswith("; 3 of version 3, which did not take 'b'; 9 of other versions.")


@st.composite
def recorded(draw: st.DrawFn) -> tuple[list[LabelledRecord], dict[int, tuple[Column, ...]], tuple[Column, ...]]:
    """Versions that took columns in any order, with values that say of which column and record they are."""
    names = list("abcdef")
    some = st.lists(st.sampled_from(names), min_size=1, unique=True)
    taken = draw(st.dictionaries(st.integers(1, 4), some, max_size=4))
    versions = draw(st.lists(st.integers(1, 4), max_size=12))
    records = [
        LabelledRecord(
            seq=seq,
            version=version,
            predicted_at=float(seq),
            row=tuple(names.index(name) * 100.0 + seq for name in taken.get(version, names)),
            label="x",
        )
        for seq, version in enumerate(versions, start=1)
    ]
    return records, {version: numbers(*columns) for version, columns in taken.items()}, numbers(*draw(some))


@given(recorded())
def test_no_value_is_read_into_a_column_that_it_is_not_of(
    made: tuple[list[LabelledRecord], dict[int, tuple[Column, ...]], tuple[Column, ...]],
) -> None:
    records, taken, wanted = made

    feedback = read_feedback(as_page(records, taken), wanted, "kind")

    for column, values in zip(feedback.rows.columns, feedback.rows.values, strict=True):
        assert values.tolist() == [ord(column.name) * 100 - ord("a") * 100 + seq for seq in feedback.seqs.tolist()]
    fitting = [record.seq for record in records if set(wanted) <= set(taken.get(record.version, ()))]
    assert feedback.seqs.tolist() == fitting
    assert sum(one.records for one in feedback.unfit) == len(records) - len(fitting)


# --- in the Jobs ------------------------------------------------------------------------------------------------------


def flowers(count: int, seed: int) -> list[dict[str, Any]]:
    """Return rows whose class is told by their height alone."""
    rows = make_numbers(count, seed=seed)
    return [
        row | {"depth": place % 7 / 2, "kind": "rose" if row["height"] > 0 else "tulip"}
        for place, row in enumerate(rows)
    ]


TABLE = flowers(300, seed=0)
ASKED = flowers(240, seed=9)
SOURCE = make_source(features=("depth", "width", "height"))
TWO = make_source(features=("width", "height"))


def hub_of_versions() -> MemoryHub:
    """Return a hub with records of four versions, 60 each: in another order, with one more column, with one less."""
    hub = MemoryHub(datasets={"flowers.csv": as_csv(TABLE)})
    hub.taken = {
        1: numbers("height", "width"),
        2: numbers("width", "depth", "height"),
        3: numbers("height", "width", "depth"),
    }
    for version in range(1, 5):
        rows = ASKED[60 * (version - 1) : 60 * version]
        names = [column.name for column in hub.taken.get(version, hub.taken[3])]
        values = [[row[name] for name in names] for row in rows]
        first = len(hub.labelled) + 1
        hub.labelled += as_records(values, [row["kind"] for row in rows], first_seq=first, version=version)
    return hub


def test_training_reads_records_by_name_and_notes_which_lack_a_column() -> None:
    hub = hub_of_versions()
    hub.targets = {2: "colour", 3: "kind"}

    report = train(make_train_run(data=SOURCE, version=5, feedback_through=240), surroundings(hub))

    assert report.feedback_rows == 60
    told = (
        "Production records not used: 60 of version 1, which did not take 'depth'; 60 of version 2, whose labels are "
        "of 'colour', not of 'kind'; 60 of version 4, whose columns are not known. Wait for records of this version, "
        "or leave what they lack out of spec.data.features."
    )
    assert told[:LONGEST_NOTE] in report.notes


def test_records_of_an_order_of_their_own_are_learnt_as_rows_of_the_source_are() -> None:
    """The few rows of the source tell nothing: were heights read as widths, the model would not know them."""
    hub = hub_of_versions()
    hub.datasets["flowers.csv"] = as_csv([row | {"kind": ["rose", "tulip"][n % 2]} for n, row in enumerate(TABLE[:30])])
    neighbours = {"estimator": "KNeighborsClassifier", "parameters": {"n_neighbors": 9}}

    report = train(make_train_run(data=TWO, version=5, feedback_through=240, **neighbours), surroundings(hub))

    assert report.feedback_rows == 180
    rows = flowers(200, seed=5)
    asked = np.array([[row["width"], row["height"]] for row in rows], np.float32)
    answers = load_model(hub, report.manifest).scorer.predict(asked)
    assert np.mean([answer == row["kind"] for answer, row in zip(answers, rows, strict=True)]) > 0.85


def test_the_gate_scores_both_models_on_the_records_that_both_can_read() -> None:
    hub = hub_of_versions()
    champion = train(make_train_run(data=TWO, version=3), surroundings(hub))
    candidate = train(make_train_run(data=SOURCE, version=5), surroundings(hub))
    run = make_evaluate_run(
        candidate.manifest,
        candidate.data_sha256,
        version=5,
        data=SOURCE,
        champion=champion.manifest,
        fresh=FreshRange(after=0, through=240),
    )

    report = evaluate(run, surroundings(hub))

    assert report.fresh is not None
    assert report.reference is not None
    assert report.fresh.rows == 120
    assert report.fresh.candidate == pytest.approx(report.reference.candidate, abs=0.15)
    assert report.fresh.champion == pytest.approx(report.reference.champion, abs=0.15)
    assert report.report is not None
    told = msgspec.json.decode(hub.blobs[report.report.json], type=Report).left_out
    assert sum(line.startswith("Production records not used: 60 of version 1") for line in told) == 1


def test_an_offline_evaluation_says_what_it_cannot_read() -> None:
    hub = hub_of_versions()
    champion = train(make_train_run(data=TWO, version=3), surroundings(hub))
    run = OfflineRun(
        namespace="team",
        model="flowers",
        version=3,
        hub_url="http://hub.invalid",
        scheduled="2030-01-01T09:00:00Z",
        champion=champion.manifest,
        records=FreshRange(after=0, through=240),
        samples=1000,
    )

    told = evaluate_offline(run, surroundings(hub))

    assert told.rows == 180
    assert told.score is not None
    assert told.score.candidate > 0.85
    assert told.report is not None
    assert (
        "Production records not used: 60 of version 4, whose columns are not known."
        in msgspec.json.decode(hub.blobs[told.report.json], type=Report).left_out
    )


def test_a_category_that_became_a_number_is_not_learnt_from_old_records() -> None:
    hub = MemoryHub(datasets={"flowers.csv": as_csv(TABLE)})
    hub.taken = {1: (Column(name="width", kind=ColumnKind.TEXT), *numbers("height"))}
    hub.labelled = as_records([["2", 1.0]] * 30, ["rose"] * 30)
    scale = PreprocessingStep(transformer="StandardScaler", columns=("*",))

    report = train(make_train_run(data=TWO, preprocessing=(scale,), feedback_through=30), surroundings(hub))

    assert report.feedback_rows == 0
    assert any("30 of version 1, which took 'width' as a text, not as a number" in note for note in report.notes)
