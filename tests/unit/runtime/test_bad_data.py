"""Every bad data set of the corpus ends its Job for good, or its model at the gate; none is published as better."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
import pytest
from tests.data.bad.broken_binary import BOMB
from tests.data.bad.case import BadData
from tests.data.bad.corpus import CORPUS
from tests.unit.runtime.made_runs import make_evaluate_run
from tests.unit.runtime.memory_hub import MemoryHub, surroundings

from evermodel.contract import DATA_ERROR_EXIT_CODE, TERMINATION_MESSAGE_LIMIT, FailureReason, FailureReport
from evermodel.gate import GateRules, Outcome, decide
from evermodel_runtime.artifacts.outcome import conclude
from evermodel_runtime.data.memory import LIBRARIES, Memory
from evermodel_runtime.evaluate.job import evaluate
from evermodel_runtime.train.job import train

RULES = GateRules(threshold=0.9, min_samples=20)
FAILED = [case for case in CORPUS if isinstance(case.ends, FailureReason)]
REJECTED = [case for case in CORPUS if isinstance(case.ends, Outcome)]


def named(case: BadData) -> str:
    return case.name


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Memory:
    """A Job that may use less than the bomb takes."""
    limit = Memory(LIBRARIES + BOMB // 2, "this Job's memory limit")

    def of_this_process() -> Memory:
        return limit

    monkeypatch.setattr(Memory, "of_this_process", of_this_process)
    return limit


@pytest.mark.parametrize("case", FAILED, ids=named)
@pytest.mark.usefixtures("small")
def test_a_bad_data_set_fails_for_good_and_says_what_to_do(case: BadData, tmp_path: Path) -> None:
    hub, log = MemoryHub(datasets={case.file: case.make()}), tmp_path / "termination-log"

    exit_code = conclude(
        lambda: train(case.train_run(), surroundings(hub)), hub, version=1, stage="train", termination_log=log
    )

    content = log.read_bytes()
    told = msgspec.json.decode(content, type=FailureReport)
    assert (exit_code, told.reason) == (DATA_ERROR_EXIT_CODE, case.ends), told.message
    assert [part for part in case.says if part not in told.message] == [], told.message
    assert (len(content) <= TERMINATION_MESSAGE_LIMIT, told.message.isprintable()) == (True, True)
    assert not hub.blobs


@pytest.mark.parametrize("case", REJECTED, ids=named)
def test_nothing_to_learn_is_rejected_by_the_gate(case: BadData) -> None:
    hub = MemoryHub(datasets={case.file: case.make()})
    run = case.train_run()
    trained = train(run, surroundings(hub))

    judged = evaluate(
        make_evaluate_run(trained.manifest, trained.data_sha256, model=run.model, version=1, data=run.data),
        surroundings(hub),
    )
    verdict = decide(RULES, reference=judged.reference, fresh=judged.fresh)

    assert verdict.outcome is Outcome.REJECT
    assert [part for part in case.says if part not in verdict.message] == [], verdict.message


def test_the_corpus_is_large_and_each_case_is_named_once() -> None:
    names = Counter(case.name for case in CORPUS)

    assert len(names) >= 60
    assert names.most_common(1)[0][1] == 1
    assert all(case.says for case in CORPUS)
