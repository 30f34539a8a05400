"""Runs that fail: the reason is told everywhere, a champion is left alone, and only what can be cured is repeated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from tests.integration.admission_cases import Value, model
from tests.integration.fates import (
    RUNS,
    Deciding,
    Fate,
    Pod,
    always,
    ends,
    fails,
    of_trainer,
    runs,
    says,
    train_report,
    trains,
    waits,
)
from tests.integration.waiting import until
from tests.integration.world import World

from evermodel.contract import DISRUPTION_EXIT_CODE, FailureReason
from evermodel.core.names import HUB, Component
from evermodel.kube.kinds import DEPLOYMENT, POD, SECRET, SERVICE

pytestmark = pytest.mark.cluster


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What goes wrong, and what is said of it."""

    name: str
    fate: Deciding
    at: Component = Component.TRAIN
    spec: Mapping[str, Value] = field(default_factory=dict)
    reason: FailureReason
    says: str
    attempts: int = 1
    exit_code: int | None = None


OWN_CONTAINER: Mapping[str, Value] = {"training.estimator": None, "training.container": {"image": "own:1"}}
CASES = (
    Case(
        name="bad-data",
        fate=fails(FailureReason.DATA_INVALID, "train.csv, row 7, column age: 'x' is no number: correct it."),
        reason=FailureReason.DATA_INVALID,
        says="train.csv, row 7, column age: 'x' is no number: correct it.",
        exit_code=3,
    ),
    Case(
        name="no-data",
        fate=fails(FailureReason.DATA_NOT_FOUND, "no dataset train.csv was uploaded."),
        reason=FailureReason.DATA_NOT_FOUND,
        says="no dataset train.csv was uploaded.",
        exit_code=3,
    ),
    Case(
        name="bad-spec",
        fate=fails(FailureReason.SPEC_INVALID, "LogisticRegression has no parameter n_estimators."),
        reason=FailureReason.SPEC_INVALID,
        says="LogisticRegression has no parameter n_estimators.",
        exit_code=3,
    ),
    Case(
        name="no-parity",
        fate=fails(FailureReason.PARITY_FAILED, "the exported model answers otherwise on 3 rows."),
        reason=FailureReason.PARITY_FAILED,
        says="the exported model answers otherwise on 3 rows.",
        exit_code=3,
    ),
    Case(
        name="other-bytes",
        fate=fails(FailureReason.DIGEST_MISMATCH, "the source was changed since the training."),
        at=Component.EVALUATE,
        reason=FailureReason.DIGEST_MISMATCH,
        says="the source was changed since the training.",
        exit_code=3,
    ),
    Case(
        name="mute",
        fate=always(ends(None, 3)),
        reason=FailureReason.DATA_INVALID,
        says="",
        exit_code=3,
    ),
    Case(
        name="memory",
        fate=always(ends(None, 137, "OOMKilled")),
        reason=FailureReason.OUT_OF_MEMORY,
        says="",
        exit_code=137,
    ),
    Case(
        name="slow",
        fate=runs,
        spec={"training.deadline": "2s"},
        reason=FailureReason.DEADLINE_EXCEEDED,
        says="longer than specified deadline",
    ),
    Case(
        name="no-image",
        fate=always(waits("ImagePullBackOff", 'Back-off pulling image "runtime:1"')),
        spec={"training.pendingDeadline": "3s", "retraining.maxAttempts": 1},
        reason=FailureReason.CANNOT_START,
        says="Not started within pendingDeadline 3s: the image runtime:1 cannot be pulled",
    ),
    Case(
        name="trainer",
        fate=always(says("epoch 1\nTraceback (most recent call last):\nKeyError: 'age'\n", 1)),
        spec=OWN_CONTAINER,
        reason=FailureReason.TRAINER_FAILED,
        says="ended with exit code 1. Its last words: epoch 1 | Traceback (most recent call last): | KeyError: 'age'",
        exit_code=1,
    ),
    Case(
        name="trainer-feigns",
        fate=always(says("", DISRUPTION_EXIT_CODE)),
        spec=OWN_CONTAINER,
        reason=FailureReason.TRAINER_FAILED,
        says=f"ended with exit code {DISRUPTION_EXIT_CODE} and said nothing.",
        exit_code=DISRUPTION_EXIT_CODE,
    ),
    Case(
        name="trainer-memory",
        fate=always(of_trainer(ends(None, 137, "OOMKilled"))),
        spec=OWN_CONTAINER,
        reason=FailureReason.OUT_OF_MEMORY,
        says="raise spec.training.container.resources.limits.memory",
        exit_code=137,
    ),
    Case(
        name="trainer-slow",
        fate=always(of_trainer(RUNS)),
        spec={**OWN_CONTAINER, "training.deadline": "12s", "training.pendingDeadline": "10s"},
        reason=FailureReason.DEADLINE_EXCEEDED,
        says="The container of spec.training.container was not done when spec.training.deadline had passed",
        exit_code=137,
    ),
    Case(
        name="trainer-image",
        fate=always(of_trainer(waits("ImagePullBackOff", 'Back-off pulling image "own:1"'))),
        spec={**OWN_CONTAINER, "training.pendingDeadline": "3s", "retraining.maxAttempts": 1},
        reason=FailureReason.CANNOT_START,
        says="Not started within pendingDeadline 3s: the image own:1 cannot be pulled",
    ),
    Case(
        name="crash",
        fate=always(ends(None, 1)),
        spec={"retraining.maxAttempts": 2},
        reason=FailureReason.CRASHED,
        says="",
        attempts=2,
        exit_code=1,
    ),
)
by_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@pytest.fixture(scope="module")
def champions(world: World) -> Mapping[str, dict[str, Any]]:
    """Let every case happen to a first version and to the successor of a champion; returns what serves before that."""
    for case in CASES:
        world.let(case.at, case.fate, model=first(case))
        world.declare(first(case), case.spec)
        world.declare(later(case))
    before = {}
    for case in CASES:
        world.wait_for_champion(later(case), 1)
        before[case.name] = serving(world, later(case))
    for case in CASES:
        for number in range(2, 2 + case.attempts):
            world.let(case.at, case.fate, model=later(case), version=number)
        world.change(later(case), model("any", {**case.spec, "training.parameters": {"max_iter": 2000}})["spec"])
    return before


@pytest.mark.usefixtures("champions")
def test_a_disrupted_pod_is_started_again_and_counts_as_nothing(world: World) -> None:
    disrupted: list[str] = []

    def disrupt_the_first(pod: Pod) -> Fate:
        uid = pod["metadata"]["uid"]
        if not disrupted or uid in disrupted:
            disrupted.append(uid)
            return ends(None, DISRUPTION_EXIT_CODE)
        return trains(pod)

    world.let(Component.TRAIN, disrupt_the_first, model="disrupted")
    world.declare("disrupted")
    world.wait_for_champion("disrupted", 1)
    assert world.phases("disrupted") == {1: "Champion"}


@pytest.mark.usefixtures("champions")
def test_a_lost_report_is_read_from_the_hub(world: World) -> None:
    def lose_the_message(pod: Pod) -> Fate:
        world.hub.keep_report("lost", 1, "train", train_report(pod))
        return ends(None)

    world.let(Component.TRAIN, lose_the_message, model="lost")
    world.declare("lost")
    world.wait_for_champion("lost", 1)
    assert world.jobs("lost") == ["lost-v1-evaluate", "lost-v1-train-1"]


@pytest.mark.usefixtures("champions")
def test_pods_that_miss_their_secrets_get_them_again(world: World) -> None:
    world.declare("robbed")
    world.wait_for_champion("robbed", 1)
    world.operator.stop()
    secrets = [found["metadata"]["name"] for found in world.objects.all(SECRET)]
    robbed = [name for name in secrets if name.startswith((f"{HUB}-key-", "robbed-tokens-"))]
    assert len(robbed) == 2
    for name in robbed:
        world.objects.delete(SECRET, name)
    world.objects.delete(POD, f"{HUB}-0")
    pods = world.objects.all(POD, labelSelector="evermodel.dev/model=robbed,evermodel.dev/component=serve")
    world.objects.delete(POD, pods[0]["metadata"]["name"])
    world.operator.start()
    for name in robbed:
        until(f"{name} is made again", partial(world.objects.find, SECRET, name), otherwise=world.operator.tail)
    world.wait_for_champion("robbed", 1)


@by_case
@pytest.mark.usefixtures("champions")
def test_a_first_version_that_fails(world: World, case: Case) -> None:
    name = first(case)
    check_failure(world, name, 1, case)
    stalled = world.wait_for_condition(name, "Stalled", "True", case.reason.value)
    assert case.says in stalled["message"]
    assert world.condition(name, "Ready")["status"] == "False"
    assert world.objects.find(SERVICE, name) is None


@by_case
def test_a_failure_leaves_the_champion_alone(world: World, champions: Mapping[str, dict[str, Any]], case: Case) -> None:
    name = later(case)
    check_failure(world, name, 2, case)
    assert serving(world, name) == champions[case.name]
    assert world.condition(name, "Ready")["status"] == "True"
    assert world.model(name)["status"]["champion"]["version"] == 1


@pytest.mark.usefixtures("champions")
def test_only_what_can_be_cured_is_repeated(world: World) -> None:
    crash = next(case for case in CASES if case.name == "crash")
    for name, number in ((first(crash), 2), (later(crash), 3)):
        world.wait_for_phase(name, number, "Failed")
        assert world.version(name, number)["spec"]["trigger"]["message"].startswith("Attempt 2 of 2")
    for case in CASES:
        assert len(world.phases(first(case))) == case.attempts, case.name
        assert len(world.phases(later(case))) == 1 + case.attempts, case.name
        assert world.node.most_at_once[world.namespace, first(case)] <= 1


def check_failure(world: World, name: str, number: int, case: Case) -> None:
    """The reason is in the version, in the condition and in an Event."""
    version = world.wait_for_phase(name, number, "Failed")
    failure = version["status"]["failure"]
    assert failure["reason"] == case.reason
    assert case.says in failure["message"]
    assert failure["message"]
    assert failure.get("exitCode") == case.exit_code
    trained = world.wait_for_condition(name, "Trained", "False", case.reason.value)
    assert case.says in trained["message"]
    assert case.says in world.wait_for_event(name, case.reason.value)


def serving(world: World, name: str) -> dict[str, Any]:
    """Return what must not change while another version is made."""
    deployment, service = world.objects.get(DEPLOYMENT, f"{name}-v1"), world.objects.get(SERVICE, name)
    return {"generation": deployment["metadata"]["generation"], "service": service["metadata"]["resourceVersion"]}


def first(case: Case) -> str:
    return f"first-{case.name}"


def later(case: Case) -> str:
    return f"later-{case.name}"
