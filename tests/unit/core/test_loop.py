"""The whole loop in the simulated world: what it writes, how it ends, and that a crash anywhere changes nothing."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import cycle, pairwise
from typing import Any

import pytest
from tests.unit.core.made import make_spec, planned
from tests.unit.core.world import Crash, Model, World

from evermodel.api.conditions import ConditionStatus, ConditionType, Reason
from evermodel.api.modeldeployment import Phase
from evermodel.api.modelversion import VersionPhase
from evermodel.contract import FailureReason, FailureReport, TrainRun
from evermodel.core.conditions import find

SPEC: dict[str, Any] = {
    "monitoring": {"minSamples": 100},
    "retraining": {"triggers": ["Accuracy"], "cooldown": "1m", "data": {"includeFeedback": True}},
}
INTERVAL = timedelta(seconds=30)
Operate = Callable[[World], None]


def a_model_is_made(world: World, operate: Operate, model: Model = Model.BETTER) -> None:
    """Let one run go its way through its Jobs: after an alarm, through all looks."""
    a_job_succeeds(world, operate, model)
    for count in (30, 30, 90):
        if not world.waiting_jobs():
            labels(world, operate, count, 0.97)
        if world.waiting_jobs():
            a_job_succeeds(world, operate, model)


def a_job_succeeds(world: World, operate: Operate, model: Model) -> None:
    [job] = world.waiting_jobs()
    world.time_passes(timedelta(seconds=5))
    operate(world)
    world.job_starts(job)
    operate(world)
    world.time_passes(timedelta(seconds=20))
    world.job_succeeds(job, model)
    operate(world)


def a_version_takes_traffic(world: World, operate: Operate) -> None:
    world.time_passes(timedelta(seconds=4))
    for number, view in world.deployments.items():
        if not view.updated:
            world.pods_become_ready(number)
    operate(world)


def labels(world: World, operate: Operate, count: int, accuracy: float) -> None:
    world.time_passes(INTERVAL)
    world.labels_come(count, accuracy)
    operate(world)


def until_ready(world: World, operate: Operate) -> None:
    operate(world)
    world.hub_starts()
    operate(world)
    a_model_is_made(world, operate)
    a_version_takes_traffic(world, operate)


def until_healed(world: World, operate: Operate) -> None:
    labels(world, operate, 200, 0.97)
    labels(world, operate, 100, 0.6)
    world.time_passes(timedelta(minutes=1))
    labels(world, operate, 120, 0.6)
    a_model_is_made(world, operate)
    a_version_takes_traffic(world, operate)
    world.time_passes(timedelta(seconds=6))
    operate(world)
    labels(world, operate, 200, 0.97)


def until_more_was_learnt(world: World, operate: Operate) -> None:
    world.time_passes(timedelta(minutes=1))
    labels(world, operate, 100, 0.97)
    a_model_is_made(world, operate)
    a_version_takes_traffic(world, operate)
    world.time_passes(timedelta(seconds=6))
    operate(world)


def until_pinned_back(world: World, operate: Operate) -> None:
    for pin in (1, None, 2):
        world.time_passes(timedelta(seconds=10))
        world.edit(make_spec(**SPEC, version=pin))
        operate(world)
        a_version_takes_traffic(world, operate)
        world.time_passes(timedelta(seconds=10))
        operate(world)


def the_whole_loop(world: World, operate: Operate) -> None:
    until_ready(world, operate)
    until_healed(world, operate)
    until_more_was_learnt(world, operate)
    until_pinned_back(world, operate)


def undisturbed(world: World) -> None:
    world.reconcile()


def outcome(world: World) -> dict[str, Any]:
    """Return everything that people and programs see, but the names that the API server gives."""
    return {
        "status": world.model.status,
        "versions": {name: (version.spec, version.status) for name, version in world.versions.items()},
        "jobs": {name: (job.run, job.view.state) for name, job in world.jobs.items()},
        "deployments": {number: replace(view, uid="") for number, view in world.deployments.items()},
        "service": world.service,
        "lineage": world.hub.lineage,
    }


def test_until_ready_the_operator_writes_little() -> None:
    world = World(make_spec(**SPEC))
    until_ready(world, undisturbed)
    ready = find(world.model.status.conditions, ConditionType.READY)
    assert ready is not None
    assert ready.status is ConditionStatus.TRUE
    # Besides Job, Deployment and Service creation, Leases and Events; each call for Secrets makes one Secret, and of
    # the hub's two kinds one is a Service.
    free = {"CreateJob", "ApplyDeployment", "ApplyService", "RecordLineage"}
    counted = {kind: count for kind, count in world.writes.items() if kind not in free}
    assert counted == {
        "EnsureSecrets": 2, "ApplyHub": 1, "CreateVersion": 1, "WriteVersionStatus": 4, "status": 5,
    }  # fmt: skip
    assert sum(counted.values()) <= 16
    assert [event.reason for event in world.events] == [Reason.FIRST_VERSION, Reason.PROMOTED]


def test_the_loop_heals_a_model_by_itself_and_says_so() -> None:
    world = World(make_spec(**SPEC))
    until_ready(world, undisturbed)
    until_healed(world, undisturbed)
    phases = {version.number: version.status.phase for version in world.versions.values()}
    assert phases == {1: VersionPhase.ARCHIVED, 2: VersionPhase.CHAMPION}
    assert (world.model.status.phase, set(world.deployments)) == (Phase.READY, {2})
    assert (world.model.status.retraining.count, world.model.status.retraining.attempt) == (1, 0)
    assert [event.reason for event in world.events] == [
        Reason.FIRST_VERSION,
        Reason.PROMOTED,
        Reason.BELOW_THRESHOLD,
        Reason.ACCURACY_ALARM,
        Reason.PROMOTED,
    ]
    version = world.versions["digits-v2"]
    assert version.status.holdout_set == "fresh"
    assert version.spec.feedback_through is not None
    assert version.status.fresh_through is not None
    assert version.status.fresh_through - version.spec.feedback_through >= 50
    assert version.status.looks == (30, 60)
    assert [name for name in world.jobs if name.startswith("digits-v2")] == [
        "digits-v2-train-1",
        "digits-v2-evaluate",
        "digits-v2-evaluate-2",
    ]


def test_an_early_look_may_promote() -> None:
    world = World(make_spec(**SPEC))
    until_ready(world, undisturbed)
    labels(world, undisturbed, 200, 0.97)
    labels(world, undisturbed, 100, 0.6)
    world.time_passes(timedelta(minutes=1))
    labels(world, undisturbed, 30, 0.6)
    a_job_succeeds(world, undisturbed, Model.FAR_BETTER)
    labels(world, undisturbed, 30, 0.6)
    a_job_succeeds(world, undisturbed, Model.FAR_BETTER)
    a_version_takes_traffic(world, undisturbed)
    version = world.versions["digits-v2"]
    assert (version.status.phase, version.status.looks) == (VersionPhase.CHAMPION, (30,))


def test_after_a_promotion_more_labels_call_for_another_run_which_counts_no_attempt() -> None:
    world = World(make_spec(**SPEC))
    until_ready(world, undisturbed)
    until_healed(world, undisturbed)
    until_more_was_learnt(world, undisturbed)
    second, third = world.versions["digits-v2"].spec, world.versions["digits-v3"]
    assert third.spec.trigger.reason == Reason.MORE_LABELS
    assert third.status.phase is VersionPhase.CHAMPION
    changed = second.trigger.changed_after
    assert (third.spec.trigger.changed_after, third.spec.trigger.alarm_at) == (changed, second.trigger.alarm_at)
    assert changed is not None
    assert third.spec.feedback_through is not None
    assert second.feedback_through is not None
    assert third.spec.feedback_through - second.feedback_through >= 100
    assert (world.model.status.retraining.count, world.model.status.retraining.attempt) == (2, 0)


def test_runs_for_more_labels_grow_with_the_logarithm_of_the_labels() -> None:
    world = World(make_spec(**SPEC))
    until_ready(world, undisturbed)
    until_healed(world, undisturbed)
    for _ in range(300):
        labels(world, undisturbed, 60, 0.97)
        for job in world.waiting_jobs():
            world.job_succeeds(job, Model.EQUAL)
    more = [version for version in world.versions.values() if version.spec.trigger.reason == Reason.MORE_LABELS]
    assert 9 <= len(more) <= 11, "the pauses grow by a half each: 11 of them are 17,000 labels"
    assert world.model.status.champion is not None
    assert world.model.status.champion.version == 2


def test_equal_models_that_follow_each_other_by_chance_do_not_keep_the_runs_coming() -> None:
    world = World(make_spec(**SPEC))
    until_ready(world, undisturbed)
    until_healed(world, undisturbed)
    chances = cycle([Model.AHEAD, Model.EQUAL])
    made: dict[int, Model] = {}
    for _ in range(300):
        labels(world, undisturbed, 60, 0.97)
        for job in world.waiting_jobs():
            world.job_succeeds(job, made.setdefault(job.version, next(chances)))
        a_version_takes_traffic(world, undisturbed)
    more = [version for version in world.versions.values() if version.spec.trigger.reason == Reason.MORE_LABELS]
    promoted = [version for version in more if version.status.phase in {VersionPhase.CHAMPION, VersionPhase.ARCHIVED}]
    assert len(more) < 30, "18,000 labels are 180 times what the first of them waits for"
    assert len(promoted) >= 5


LEARNING_ON: dict[str, Any] = {
    **SPEC,
    "retraining": {**SPEC["retraining"], "online": {"minRecords": 60, "minInterval": "1m"}},
}


def learn_on(model: Model, rounds: int) -> World:
    """Let labels come, and Jobs make such models."""
    world = World(make_spec(**LEARNING_ON))
    until_ready(world, undisturbed)
    for _ in range(rounds):
        labels(world, undisturbed, 60, 0.97)
        for job in world.waiting_jobs():
            world.job_succeeds(job, model)
        a_version_takes_traffic(world, undisturbed)
    return world


def test_online_updates_that_are_no_better_become_few() -> None:
    world = learn_on(Model.EQUAL, rounds=120)
    updates = [event for event in world.events if event.reason is Reason.ONLINE_UPDATE]
    assert 6 <= len(updates) <= 10, "the pauses grow by a half each: 10 of them are 6,800 labels"
    assert world.model.status.champion is not None
    assert world.model.status.champion.version == 1


def test_online_updates_that_are_better_follow_each_other_each_from_where_the_last_one_ended() -> None:
    world = learn_on(Model.FAR_BETTER, rounds=60)
    told = {job.version: job.run for job in world.jobs.values() if isinstance(job.run, TrainRun) and job.run.online}
    assert world.model.status.latest_version > 12
    assert len(told) >= 8
    for before, number in pairwise(sorted(told)):
        online = told[number].online
        assert online is not None
        assert (number, online.after) == (before + 1, told[before].feedback_through)
    assert world.model.status.retraining.attempt == 0


@pytest.mark.parametrize(
    ("share", "looks"),
    [
        pytest.param(0.5, 4, id="rows that repeat take more records"),
        pytest.param(0.0, 4, id="where none can be scored the candidate is given up"),
        pytest.param(0.01, 20, id="where almost none can be too"),
    ],
)
def test_records_that_cannot_be_scored(share: float, looks: int) -> None:
    world = World(make_spec(**SPEC))
    until_ready(world, undisturbed)
    world.hub.scored_share = share
    labels(world, undisturbed, 300, 0.6)
    world.time_passes(timedelta(minutes=1))
    for _ in range(100):
        labels(world, undisturbed, 10, 0.6)
        for job in world.waiting_jobs():
            world.job_succeeds(job, Model.EQUAL)
    version = world.versions["digits-v2"]
    assert version.status.phase is VersionPhase.REJECTED
    assert len(version.status.looks) <= looks


def test_a_loop_at_rest_writes_nothing() -> None:
    world = World(make_spec(**SPEC))
    the_whole_loop(world, undisturbed)
    world.settle()
    writes = dict(world.writes)
    for _ in range(10):
        world.time_passes(INTERVAL)
        world.reconcile()
    assert dict(world.writes) == writes
    decision = planned(world.observe(), world.now)
    assert (decision.actions, decision.events, decision.status) == ((), (), world.model.status)


def test_a_new_image_of_the_operator_writes_nothing() -> None:
    world = World(make_spec(**SPEC))
    the_whole_loop(world, undisturbed)
    world.settings = replace(world.settings, runtime_image="runtime:2")
    assert world.reconcile() == 0


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"objective": {"threshold": 0.8}}, id="a lower threshold"),
        pytest.param({"objective": {"threshold": 0.95}}, id="a higher threshold"),
        pytest.param({"serving": {"replicas": 3}}, id="replicas"),
        pytest.param({"training": {"deadline": "3h"}}, id="a deadline"),
    ],
)
def test_what_starts_no_job(change: dict[str, Any]) -> None:
    world = World(make_spec(**SPEC))
    until_ready(world, undisturbed)
    jobs = set(world.jobs)
    world.edit(make_spec(**{**SPEC, **change}))
    world.settle()
    assert set(world.jobs) == jobs
    assert set(world.versions) == {"digits-v1"}


def test_bad_data_fails_once_and_is_left_to_a_person() -> None:
    world = World(make_spec(**SPEC))
    world.reconcile()
    world.hub_starts()
    world.reconcile()
    [job] = world.waiting_jobs()
    world.job_fails(job, FailureReport(reason=FailureReason.DATA_INVALID, message="Column 'target' is missing."))
    world.settle()
    world.time_passes(timedelta(days=1))
    world.settle()
    assert set(world.versions) == {"digits-v1"}
    stalled = find(world.model.status.conditions, ConditionType.STALLED)
    assert stalled is not None
    assert (stalled.reason, world.model.status.phase) == ("DataInvalid", Phase.FAILED)
    assert "Column 'target' is missing." in stalled.message


def test_a_crash_is_repeated_until_attempts_are_used_up() -> None:
    world = World(make_spec(**SPEC))
    world.reconcile()
    world.hub_starts()
    for _ in range(10):
        world.reconcile()
        for job in world.waiting_jobs():
            world.job_fails(job, None)
        world.time_passes(timedelta(minutes=10))
    assert set(world.versions) == {"digits-v1", "digits-v2", "digits-v3"}
    assert find(world.model.status.conditions, ConditionType.STALLED) is not None


def test_a_model_that_is_no_better_is_tried_again_with_longer_pauses_in_time_and_then_in_labels() -> None:
    world = World(make_spec(**SPEC))
    until_ready(world, undisturbed)
    labels(world, undisturbed, 300, 0.6)
    for _ in range(120):
        labels(world, undisturbed, 60, 0.6)
        for job in world.waiting_jobs():
            world.job_succeeds(job, Model.EQUAL)
    runs = list(world.versions.values())[1:]
    pauses = [later.created_at - earlier.created_at for earlier, later in pairwise(runs[:3])]
    assert pauses[1] > pauses[0] >= timedelta(minutes=1)
    waited = [
        (later.spec.feedback_through or 0) - (earlier.status.fresh_through or 0) for earlier, later in pairwise(runs)
    ]
    assert [labels >= 100 * 2**number for number, labels in enumerate(waited[2:])] == [True] * (len(runs) - 3)
    assert len(runs) == 8, "3 at once, and the pauses before the next 5 take 3,100 of 7,200 labels"
    healthy = find(world.model.status.conditions, ConditionType.HEALTHY)
    assert healthy is not None
    assert healthy.reason == Reason.RETRAINING_EXHAUSTED
    assert find(world.model.status.conditions, ConditionType.STALLED) is None
    assert "more labelled records" in healthy.message
    assert [event.reason for event in world.events].count(Reason.RETRAINING_EXHAUSTED) == len(runs) - 2
    assert world.service is not None
    assert world.service.version == 1


def test_a_rebuilt_cluster_adopts_its_champion() -> None:
    before = World(make_spec(**SPEC))
    until_ready(before, undisturbed)
    until_healed(before, undisturbed)
    world = World(make_spec(**SPEC))
    world.hub.lineage = before.hub.lineage
    world.settle()
    assert world.jobs == {}
    assert {version.number: version.status.manifest for version in world.versions.values()} == {2: "manifest-2"}
    assert world.model.status.phase is Phase.READY
    assert world.model.status.champion is not None
    assert world.model.status.champion.holdout == pytest.approx(0.97)
    assert [event.reason for event in world.events] == [Reason.ADOPTED, Reason.PROMOTED]


def crashing(at: int) -> tuple[Operate, list[int]]:
    """Return an operator that ends at its n-th write and is started again, and the count of its writes."""
    count = [0]

    def step() -> None:
        count[0] += 1
        if count[0] == at:
            raise Crash

    def operate(world: World) -> None:
        try:
            world.reconcile(step)
        except Crash:
            world.answer = None  # what the operator knew is gone with it
            world.reconcile()

    return operate, count


def test_a_crash_between_any_two_writes_ends_in_the_same_state() -> None:
    calm = World(make_spec(**SPEC))
    operate, count = crashing(at=-1)
    the_whole_loop(calm, operate)
    assert count[0] > 40
    for at in range(1, count[0] + 1):
        world = World(make_spec(**SPEC))
        operate, _ = crashing(at)
        the_whole_loop(world, operate)
        assert outcome(world) == outcome(calm), f"a crash at write {at}"
        told = [(event.reason, event.message) for event in calm.events]
        for event in world.events:  # those of one write may be lost with the operator; none is told twice
            told.remove((event.reason, event.message))
        assert len(told) <= 2
