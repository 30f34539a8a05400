"""A few bad data sets of each kind by Jobs that are processes of their own, with a real hub."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract.job_processes import MODEL, Hub, Jobs
from tests.data.bad.broken_binary import BROKEN_BINARY
from tests.data.bad.broken_json import BROKEN_JSON
from tests.data.bad.broken_text import BROKEN_TEXT
from tests.data.bad.case import BadData
from tests.data.bad.wrong_declarations import WRONG_DECLARATIONS
from tests.data.bad.wrong_targets import WRONG_TARGETS
from tests.data.bad.wrong_values import WRONG_VALUES

from evermodel.contract import DATA_ERROR_EXIT_CODE, FailureReason, FailureReport

EACH = 3
KINDS = (BROKEN_TEXT, BROKEN_BINARY, BROKEN_JSON, WRONG_VALUES, WRONG_TARGETS, WRONG_DECLARATIONS)
NO_LIMIT_HERE = FailureReason.OUT_OF_MEMORY


def spread(cases: tuple[BadData, ...]) -> tuple[BadData, ...]:
    """Choose the last of a kind and others at equal distances from it."""
    failing = [case for case in cases if isinstance(case.ends, FailureReason) and case.ends is not NO_LIMIT_HERE]
    return tuple(failing[:: -(len(failing) // EACH)][:EACH])


CHOSEN = [case for kind in KINDS for case in spread(kind)]
DEADLY = [case for case in BROKEN_JSON if "null" in case.name]
"""Of these, the library that reads JSON ended the process itself."""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    made = Hub(tmp_path_factory.mktemp("hub"))
    made.start()
    yield made
    made.stop()


@pytest.mark.parametrize("case", [*CHOSEN, *DEADLY], ids=lambda case: case.name)
def test_a_bad_data_set_ends_a_real_job_with_3(case: BadData, hub: Hub, tmp_path: Path) -> None:
    hub.upload(case.file, case.make())

    ended = Jobs(tmp_path).run("train", case.train_run(hub.url, MODEL))

    assert (ended.exit_code, type(ended.report)) == (DATA_ERROR_EXIT_CODE, FailureReport), ended.errors
    assert ended.report.reason is case.ends
    assert [part for part in case.says if part not in ended.report.message] == [], ended.report.message
    assert hub.report(1, "train") == ended.report
    assert "Traceback" not in ended.errors
