"""However a Job ends, the operator learns why and whether to try again."""

from pathlib import Path

import msgspec
import pytest
from tests.unit.runtime.memory_hub import MemoryHub

from evermodel.contract import (
    TERMINATION_MESSAGE_LIMIT,
    EvaluationReport,
    FailureReason,
    FailureReport,
    PairedScore,
    RunReport,
    SliceScore,
)
from evermodel_runtime.artifacts.outcome import conclude, termination_message
from evermodel_runtime.data.failure import JobError

DONE = EvaluationReport(reference=None, fresh=None, seconds=1.0)


class AwayHub(MemoryHub):
    def put_report(self, version: int, stage: str, report: RunReport) -> None:
        raise JobError(FailureReason.HUB_UNAVAILABLE, f"no hub for {stage} {version} {report}")


def ended(work: RunReport | BaseException, hub: MemoryHub, log: Path) -> tuple[int, RunReport]:
    def do() -> RunReport:
        if isinstance(work, BaseException):
            raise work
        return work

    exit_code = conclude(do, hub, version=3, stage="train", termination_log=log)
    return exit_code, msgspec.json.decode(log.read_bytes(), type=RunReport)


@pytest.mark.parametrize(
    ("error", "exit_code", "reason"),
    [
        pytest.param(JobError(FailureReason.DATA_INVALID, "m"), 3, FailureReason.DATA_INVALID, id="bad data"),
        pytest.param(JobError(FailureReason.SPEC_INVALID, "m"), 3, FailureReason.SPEC_INVALID, id="bad spec"),
        pytest.param(JobError(FailureReason.PARITY_FAILED, "m"), 3, FailureReason.PARITY_FAILED, id="no parity"),
        pytest.param(MemoryError(), 3, FailureReason.OUT_OF_MEMORY, id="out of memory"),
        pytest.param(KeyError("m"), 1, FailureReason.CRASHED, id="a bug"),
    ],
)
def test_a_failure_is_reported_to_hub_and_operator(
    error: Exception, exit_code: int, reason: FailureReason, tmp_path: Path
) -> None:
    hub = MemoryHub()

    code, told = ended(error, hub, tmp_path / "log")

    assert code == exit_code
    assert isinstance(told, FailureReport)
    assert told.reason is reason
    assert hub.reports == {(3, "train"): told}


def test_a_bug_is_told_with_its_type(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, told = ended(ZeroDivisionError("division by zero"), MemoryHub(), tmp_path / "log")

    assert told == FailureReport(reason=FailureReason.CRASHED, message="ZeroDivisionError: division by zero")
    assert "Traceback" in capsys.readouterr().err


def test_a_hub_that_is_away_is_a_disruption(tmp_path: Path) -> None:
    code, told = ended(JobError(FailureReason.HUB_UNAVAILABLE, "m"), MemoryHub(), tmp_path / "log")

    assert (code, told) == (4, FailureReport(reason=FailureReason.HUB_UNAVAILABLE, message="m"))


def test_a_server_that_is_away_fails_the_run_and_is_told(tmp_path: Path) -> None:
    hub = MemoryHub()

    code, told = ended(JobError(FailureReason.SOURCE_UNAVAILABLE, "m"), hub, tmp_path / "log")

    assert code == 1
    assert hub.reports == {(3, "train"): told}


def test_a_success_is_reported(tmp_path: Path) -> None:
    hub = MemoryHub()

    assert ended(DONE, hub, tmp_path / "log") == (0, DONE)
    assert hub.reports == {(3, "train"): DONE}


def test_a_success_that_the_hub_does_not_know_is_none(tmp_path: Path) -> None:
    code, told = ended(DONE, AwayHub(), tmp_path / "log")

    assert code == 4
    assert isinstance(told, FailureReport)


def test_bad_data_stay_bad_data_when_the_hub_is_away(tmp_path: Path) -> None:
    code, told = ended(JobError(FailureReason.DATA_INVALID, "m"), AwayHub(), tmp_path / "log")

    assert (code, told) == (3, FailureReport(reason=FailureReason.DATA_INVALID, message="m"))


def test_a_node_without_termination_log_still_gets_the_exit_code(tmp_path: Path) -> None:
    hub = MemoryHub()

    assert conclude(lambda: DONE, hub, version=1, stage="evaluate", termination_log=tmp_path / "no" / "log") == 0
    assert hub.reports == {(1, "evaluate"): DONE}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("short", id="short"),
        pytest.param("x" * 5000, id="long"),
        pytest.param("ü€😀" * 900, id="several bytes a character"),
        pytest.param('"\\\n' * 2000, id="escaped in JSON"),
    ],
)
def test_a_termination_message_fits_and_is_whole_json(text: str) -> None:
    message = termination_message(FailureReport(reason=FailureReason.CRASHED, message=text))

    told = msgspec.json.decode(message, type=FailureReport)
    assert len(message) <= TERMINATION_MESSAGE_LIMIT
    assert told.message == text or (told.message.endswith(" …") and text.startswith(told.message[:-2].rstrip()))
    assert len(message) > TERMINATION_MESSAGE_LIMIT - 30 or told.message == text


def test_scores_that_are_too_long_for_the_message_are_left_to_the_hub(tmp_path: Path) -> None:
    groups = tuple(SliceScore(column="age", group=str(age), rows=9, candidate=0.9) for age in range(40))
    score = PairedScore(rows=400, candidate=0.9, dummy=0.1, slices=groups)
    hub, report = MemoryHub(), EvaluationReport(reference=score, fresh=None, seconds=1.0)

    code = conclude(lambda: report, hub, version=3, stage="evaluate", termination_log=tmp_path / "log")

    assert (code, (tmp_path / "log").read_bytes()) == (0, b"")
    assert hub.reports == {(3, "evaluate"): report}
