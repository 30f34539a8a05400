"""What a person does wrong ends a Job for good, with words for the operator and the hub, and with nothing published."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from tests.unit.runtime.made_runs import as_csv, make_numbers, make_source, make_train_run
from tests.unit.runtime.memory_hub import MemoryHub, surroundings

from evermodel.contract import DATA_ERROR_EXIT_CODE, TERMINATION_MESSAGE_LIMIT, DataSource, FailureReason, FailureReport
from evermodel_runtime.artifacts.outcome import conclude
from evermodel_runtime.train.job import train

TABLE = make_numbers()
NUMBERS = as_csv(TABLE)
ONE_CLASS = as_csv([row | {"kind": "rose"} for row in TABLE])
NAN_TARGET = as_csv([row | ({"kind": "NaN"} if place == 4 else {}) for place, row in enumerate(TABLE)])
MANY_WRONG = as_csv([row | {f"{'long' * 40}{column}": "" for column in range(40)} for row in TABLE])


@pytest.mark.parametrize(
    ("content", "source", "reason", "words"),
    [
        pytest.param(
            NUMBERS,
            make_source(target="kinds"),
            FailureReason.DATA_INVALID,
            "no column 'kinds', which spec.data.target names. Did you mean 'kind'?",
            id="missing target column",
        ),
        pytest.param(
            ONE_CLASS,
            make_source(),
            FailureReason.DATA_INVALID,
            "the target 'kind' is 'rose' in every row. A classifier needs at least two classes",
            id="one class",
        ),
        pytest.param(
            NAN_TARGET,
            make_source(),
            FailureReason.DATA_INVALID,
            "the target 'kind' has no value in 1 of 60 rows: row 5 (line 6). Remove these rows or label them",
            id="NaN target",
        ),
        pytest.param(
            b"",
            make_source(),
            FailureReason.DATA_INVALID,
            "hub://flowers.csv is empty. A header row and at least one row per class are needed",
            id="empty file",
        ),
        pytest.param(
            NUMBERS.replace(b",", b"~"),
            make_source(),
            FailureReason.DATA_INVALID,
            "hub://flowers.csv has a single column, 'height~width~kind'",
            id="wrong delimiter",
        ),
        pytest.param(
            NUMBERS,
            make_source(uri="hub://roses.csv"),
            FailureReason.DATA_NOT_FOUND,
            "hub://roses.csv: no file of that name was uploaded",
            id="missing source",
        ),
        pytest.param(
            NUMBERS,
            make_source(sha256="ab" * 32),
            FailureReason.DIGEST_MISMATCH,
            "Correct the digest if the new file is meant, or restore the old file",
            id="wrong digest",
        ),
        pytest.param(
            MANY_WRONG,
            make_source(target="no such column", features=tuple("wrong" * 99 + str(n) for n in range(9))),
            FailureReason.DATA_INVALID,
            "'no such column'",
            id="long names",
        ),
    ],
)
def test_a_persons_mistake_ends_the_job_for_good(
    content: bytes, source: DataSource, reason: FailureReason, words: str, tmp_path: Path
) -> None:
    hub = MemoryHub(datasets={"flowers.csv": content})
    log = tmp_path / "termination-log"

    exit_code = conclude(
        lambda: train(make_train_run(data=source), surroundings(hub)),
        hub,
        version=1,
        stage="train",
        termination_log=log,
    )

    assert exit_code == DATA_ERROR_EXIT_CODE
    assert len(log.read_bytes()) <= TERMINATION_MESSAGE_LIMIT
    told = msgspec.json.decode(log.read_bytes(), type=FailureReport)
    assert told.reason is reason
    assert words in told.message
    assert hub.reports == {(1, "train"): told}
    assert not hub.blobs
