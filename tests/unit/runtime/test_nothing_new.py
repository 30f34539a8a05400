"""A run by the clock with nothing that a version has not learnt from ends before anything is fitted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.unit.runtime.made_runs import as_csv, make_numbers, make_train_run
from tests.unit.runtime.memory_hub import MemoryHub, as_records, surroundings

from evermodel.contract import Learnt, NothingNewReport, RunReport, TrainReport
from evermodel_runtime.artifacts.outcome import conclude
from evermodel_runtime.train.job import train

TABLE = make_numbers()
NEW_ROW = [9.5, -9.5]


def champion(hub: MemoryHub, through: int | None = None) -> Learnt:
    """Train version 1, and return what it learnt from."""
    report = train(make_train_run(feedback_through=through), surroundings(hub))
    return Learnt(version=1, data_sha256=report.data_sha256, feedback_through=through)


def ended(hub: MemoryHub, folder: Path, **changes: Any) -> RunReport:
    """Run the Job of version 2, and return its report, with which it ends well."""
    run = make_train_run(version=2, **changes)
    assert (
        conclude(lambda: train(run, surroundings(hub)), hub, version=2, stage="train", termination_log=folder / "log")
        == 0
    )
    return hub.reports[2, "train"]


def test_an_unchanged_source_is_not_fitted_again(tmp_path: Path) -> None:
    hub = MemoryHub(datasets={"flowers.csv": as_csv(TABLE)})
    known = champion(hub)
    blobs = dict(hub.blobs)

    report = ended(hub, tmp_path, known=(Learnt(version=0, data_sha256="other"), known))

    assert report == NothingNewReport(
        data_sha256=known.data_sha256,
        message="hub://flowers.csv is as version 1 learnt from it: nothing was trained.",
    )
    assert hub.blobs == blobs


def test_without_a_word_of_what_is_known_it_is(tmp_path: Path) -> None:
    hub = MemoryHub(datasets={"flowers.csv": as_csv(TABLE)})
    champion(hub)
    assert isinstance(ended(hub, tmp_path), TrainReport)


def test_another_row_of_the_source_is_new(tmp_path: Path) -> None:
    hub = MemoryHub(datasets={"flowers.csv": as_csv(TABLE)})
    known = champion(hub)
    hub.datasets["flowers.csv"] = as_csv([*TABLE, TABLE[0] | {"height": 3.5}])
    assert isinstance(ended(hub, tmp_path, known=(known,)), TrainReport)


@pytest.mark.parametrize(
    ("seq", "row", "through", "fitted"),
    [
        pytest.param(7, NEW_ROW, 9, True, id="a record that came since"),
        pytest.param(5, NEW_ROW, 9, False, id="a record that the champion learnt from"),
        pytest.param(7, NEW_ROW, 6, False, id="a record after those of the run"),
        pytest.param(7, [9.5], 9, False, id="a record that cannot be learnt from"),
        pytest.param(7, NEW_ROW, None, False, id="records are no longer learnt from"),
    ],
)
def test_records(tmp_path: Path, seq: int, row: list[float], through: int | None, *, fitted: bool) -> None:
    hub = MemoryHub(datasets={"flowers.csv": as_csv(TABLE)})
    hub.labelled = as_records([row], ["rose"], first_seq=seq)
    known = champion(hub, through=5)

    report = ended(hub, tmp_path, feedback_through=through, known=(known,))

    assert isinstance(report, TrainReport if fitted else NothingNewReport)
