"""Data that cannot be learnt from, by real Jobs: said in words, tried once, and no reason to touch a champion."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from tests.demo.stages import Snapshot
from tests.e2e import manifests, namespaces
from tests.e2e.installation import Installation
from tests.e2e.load import Load
from tests.e2e.namespaces import Namespace
from tests.kstatus.build import kstatus

from evermodel.api.conditions import Condition, ConditionStatus, ConditionType
from evermodel.api.modeldeployment import Phase
from evermodel.api.modelversion import VersionPhase
from evermodel.contract import DATA_ERROR_EXIT_CODE, FailureReason
from evermodel.kube.client import Object

ROWS = [f"{number},{number * 7 % 60},{'high' if number > 30 else 'low'}" for number in range(1, 61)]
GOOD = "\n".join(["age,income,class", *ROWS])
TRAINING = {"estimator": "LogisticRegression"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A file, how it is declared, and what is to be said about it."""

    name: str
    content: str | None
    """What the ConfigMap holds; None: there is no ConfigMap."""
    reason: FailureReason
    says: tuple[str, ...]
    sha256: str | None = None

    def data(self) -> Object:
        """Return spec.data."""
        digest = {} if self.sha256 is None else {"sha256": self.sha256}
        return {"train": {"uri": f"configmap://{self.name}/rows.csv", **digest}, "target": "class"}


CASES = (
    Case(
        name="missing-target",
        content=GOOD.replace("class", "clas"),
        reason=FailureReason.DATA_INVALID,
        says=("no column 'class', which spec.data.target names", "Did you mean 'clas'?"),
    ),
    Case(
        name="one-class",
        content=GOOD.replace("high", "low"),
        reason=FailureReason.DATA_INVALID,
        says=("the target 'class' is 'low' in every row", "at least two classes"),
    ),
    Case(
        name="nan-target",
        content=GOOD.replace(ROWS[6], "7,49,NaN"),
        reason=FailureReason.DATA_INVALID,
        says=("the target 'class' has no value in 1 of 60 rows: row 7 (line 8)", "Remove these rows or label them"),
    ),
    Case(
        name="empty-file",
        content="",
        reason=FailureReason.DATA_INVALID,
        says=("rows.csv is empty", "A header row and at least one row per class are needed"),
    ),
    Case(
        name="wrong-delimiter",
        content=GOOD.replace(",", "~"),
        reason=FailureReason.DATA_INVALID,
        says=("rows.csv has a single column", "name what stands between the values in spec.data.format.delimiter"),
    ),
    Case(
        name="missing-source",
        content=None,
        reason=FailureReason.DATA_NOT_FOUND,
        says=("there is no ConfigMap missing-source", "kubectl create configmap missing-source --from-file=rows.csv"),
    ),
    Case(
        name="wrong-digest",
        content=GOOD,
        sha256="0" * 64,
        reason=FailureReason.DIGEST_MISMATCH,
        says=("is not the declared file: its sha256 is", "Correct the digest"),
    ),
)
REQUEST = (
    b'{"inputs": [{"name": "age", "shape": [1], "datatype": "FP64", "data": [40]},'
    b' {"name": "income", "shape": [1], "datatype": "FP64", "data": [40]}]}'
)
GOOD_CASE = Case(name="good", content=GOOD, reason=FailureReason.CRASHED, says=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one ModelDeployment."""

    manifest: Object
    snapshot: Snapshot
    jobs: frozenset[str]
    events: tuple[Object, ...]


@pytest.fixture(scope="module")
def outcomes(installation: Installation, shared_name: str) -> Mapping[str, Outcome]:
    """Give the end of a first version for each file, all made at the same time."""
    return asyncio.run(_outcomes(installation, shared_name))


async def _outcomes(installation: Installation, name: str) -> dict[str, Outcome]:
    async with namespaces.opened(installation, name) as namespace:
        for case in (*CASES, GOOD_CASE):
            await namespace.apply(*_manifests(case))
        async with asyncio.TaskGroup() as tasks:
            ends = {case.name: tasks.create_task(_end(namespace, case)) for case in (*CASES, GOOD_CASE)}
        return {case: end.result() for case, end in ends.items()}


def _manifests(case: Case) -> list[Object]:
    declared = manifests.model(case.name, uri="", threshold=0.7, training=TRAINING, data=case.data())
    if case.content is None:
        return [declared]
    source = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": case.name},
        "data": {"rows.csv": case.content},
    }
    return [source, declared]


async def _end(namespace: Namespace, case: Case) -> Outcome:
    def has_ended(snapshot: Snapshot) -> bool:
        """Serves or has stalled."""
        return namespaces.serves_current_spec(snapshot) or snapshot.has(ConditionType.STALLED, ConditionStatus.TRUE)

    await namespace.until(case.name, has_ended)
    await namespace.event(case.name, "Promoted" if case is GOOD_CASE else case.reason)
    return await _outcome(namespace, case.name)


async def _outcome(namespace: Namespace, name: str) -> Outcome:
    return Outcome(
        manifest=await namespace.manifest(name),
        snapshot=await namespace.look(name),
        jobs=frozenset(await namespace.jobs(name)),
        events=tuple(await namespace.events(name)),
    )


def _condition(snapshot: Snapshot, kind: ConditionType) -> Condition:
    condition = snapshot.condition(kind)
    assert condition is not None, namespaces.described(snapshot)
    return condition


def _says(case: Case, message: str) -> None:
    for part in case.says:
        assert part in message


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_first_version_fails_once_and_says_what_to_do(case: Case, outcomes: Mapping[str, Outcome]) -> None:
    outcome = outcomes[case.name]
    (version,) = outcome.snapshot.versions
    failure = version.status.failure
    assert (version.status.phase, failure and failure.reason) == (VersionPhase.FAILED, case.reason)
    assert failure is not None
    assert failure.exit_code == DATA_ERROR_EXIT_CODE
    _says(case, failure.message)

    status = outcome.snapshot.status
    assert (status.phase, status.champion) == (Phase.FAILED, None)
    for kind, value in ((ConditionType.STALLED, ConditionStatus.TRUE), (ConditionType.TRAINED, ConditionStatus.FALSE)):
        condition = _condition(outcome.snapshot, kind)
        assert (condition.status, condition.reason) == (value, case.reason)
        _says(case, condition.message)
    assert kstatus([outcome.manifest]) == ["Failed"]

    (event,) = [one for one in outcome.events if one["reason"] == case.reason]
    assert event["type"] == "Warning"
    _says(case, event["message"])
    assert outcome.jobs == {f"{case.name}-v1-train-1"}


async def test_a_champion_serves_on_when_its_spec_turns_to_bad_data(
    outcomes: Mapping[str, Outcome], shared: Namespace
) -> None:
    before = outcomes["good"].snapshot.status.champion
    pods = await shared.serving_pods("good")
    url = f"{await shared.address('good')}/v2/models/good/infer"
    bad = CASES[2]

    def is_refused(snapshot: Snapshot) -> bool:
        """The changed data were tried and refused."""
        return snapshot.has(ConditionType.TRAINED, ConditionStatus.FALSE)

    async with Load(url=url, bodies=[REQUEST], per_second=20).running() as load:
        await shared.patch("good", {"data": bad.data()})
        after = await shared.until("good", is_refused)
    event = await shared.event("good", bad.reason)
    outcome = await _outcome(shared, "good")

    assert [version.status.phase for version in after.versions] == [VersionPhase.CHAMPION, VersionPhase.FAILED]
    _says(bad, _condition(after, ConditionType.TRAINED).message)
    assert after.status.champion == before
    assert (_condition(after, ConditionType.READY).status, kstatus([outcome.manifest])) == ("True", ["Current"])
    assert await shared.serving_pods("good") == pods
    assert (load.failures, set(load.answers)) == ([], {"1"})
    assert outcome.jobs == {"good-v1-train-1", "good-v1-evaluate", "good-v2-train-1"}
    assert event["type"] == "Warning"


async def test_nothing_is_tried_again(outcomes: Mapping[str, Outcome], shared: Namespace) -> None:
    """Asked last: whatever would be tried again has had the time of the test before."""
    for case in CASES:
        before, after = outcomes[case.name], await _outcome(shared, case.name)
        assert after.jobs == before.jobs
        assert after.snapshot.versions == before.snapshot.versions
        assert after.snapshot.status == before.snapshot.status
