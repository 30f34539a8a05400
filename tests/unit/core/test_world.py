"""Whatever people, Jobs, pods and labels do, and wherever the operator ends: all comes to rest, no invariant breaks.

The invariants are checked after each single write (``invariants.py``).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from tests.unit.core.made import make_spec, planned
from tests.unit.core.world import LIVE, Crash, Model, World

from evermodel.contract import FailureReason, FailureReport

MODELS = st.sampled_from(Model)
FAILURES = st.sampled_from(
    [
        None,
        FailureReport(reason=FailureReason.DATA_INVALID, message="Column 'target' is missing."),
        FailureReport(reason=FailureReason.HUB_UNAVAILABLE, message="The hub does not answer."),
    ]
)
BASE: dict[str, Any] = {
    "monitoring": {"minSamples": 100},
    "retraining": {
        "cooldown": "1m",
        "maxAttempts": 2,
        "triggers": ["Accuracy", "Data", "Drift"],
        "data": {"includeFeedback": True},
    },
    "revisionHistoryLimit": 2,
}


class Loop(RuleBasedStateMachine):
    """One ModelDeployment and all that may happen to it."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: dict[str, Any] = dict(BASE)
        self.world = World(make_spec(**BASE))
        self.requests = 0

    @initialize(chapter=st.sampled_from(["new", "serving", "scaled", "drifting", "fallen", "retrained"]))
    def begins(self, chapter: str) -> None:
        """Begin somewhere in the loop, for chance alone seldom comes to its end."""
        self.world.reconcile()
        if chapter == "new":
            return
        self.world.settle()
        if chapter == "scaled":
            self.somebody_edits_the_spec({"serving": {"autoscaling": {"maxReplicas": 5, "inFlight": 4}}})
            self.world.settle()
            self.world.autoscaler_scales(4)
        if chapter == "drifting":
            self.values_move(0.9)
        if chapter in {"fallen", "retrained"}:
            self.the_world_changes()
        if chapter == "retrained":
            self.all_goes_well_for_a_while(Model.BETTER)
            self.labels_come(150, 0.6)
            self.all_goes_well_for_a_while(Model.BETTER)

    # --- the operator ---------------------------------------------------------------------------------------------

    @rule()
    def operator_works(self) -> None:
        self.world.reconcile()

    @rule(writes=st.integers(0, 6))
    def operator_ends_after_some_writes(self, writes: int) -> None:
        left = writes

        def step() -> None:
            nonlocal left
            if left == 0:
                raise Crash
            left -= 1

        try:
            self.world.reconcile(step)
        except Crash:
            self.world.answer = None

    @rule(minutes=st.sampled_from([0.1, 1.0, 6.0, 16.0, 60.0]))
    def time_passes(self, minutes: float) -> None:
        self.world.time_passes(timedelta(minutes=minutes))
        self.world.reconcile()

    @rule(model=MODELS)
    def all_goes_well_for_a_while(self, model: Model) -> None:
        self.world.settle(model)

    # --- Jobs, pods, the hub --------------------------------------------------------------------------------------

    @precondition(lambda self: self.world.waiting_jobs())
    @rule(data=st.data())
    def a_job_starts(self, data: st.DataObject) -> None:
        self.world.job_starts(data.draw(st.sampled_from(self.world.waiting_jobs())))

    @precondition(lambda self: self.world.waiting_jobs())
    @rule(data=st.data(), model=MODELS)
    def a_job_succeeds(self, data: st.DataObject, model: Model) -> None:
        self.world.job_succeeds(data.draw(st.sampled_from(self.world.waiting_jobs())), model)

    @precondition(lambda self: self.world.waiting_jobs())
    @rule(data=st.data(), report=FAILURES)
    def a_job_fails(self, data: st.DataObject, report: FailureReport | None) -> None:
        self.world.job_fails(data.draw(st.sampled_from(self.world.waiting_jobs())), report)

    @rule(epoch=st.integers(1, 3))
    def a_job_says_how_far_it_is(self, epoch: int) -> None:
        self.world.hub.progress = f"epoch {epoch} of 3"

    @precondition(lambda self: self.world.terminating)
    @rule()
    def old_pods_end(self) -> None:
        self.world.pods_end()

    @precondition(lambda self: self.world.deployments)
    @rule(data=st.data())
    def pods_become_ready(self, data: st.DataObject) -> None:
        self.world.pods_become_ready(data.draw(st.sampled_from(sorted(self.world.deployments))))

    @precondition(lambda self: self.world.deployments)
    @rule(data=st.data())
    def pods_never_start(self, data: st.DataObject) -> None:
        self.world.pods_never_start(data.draw(st.sampled_from(sorted(self.world.deployments))))

    @precondition(lambda self: self.world.autoscaler)
    @rule(replicas=st.integers(1, 5))
    def autoscaler_scales(self, replicas: int) -> None:
        self.world.autoscaler_scales(replicas)

    @rule()
    def hub_starts(self) -> None:
        self.world.hub_starts()

    @rule()
    def hub_stops(self) -> None:
        self.world.hub_stops()

    # --- labels ---------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.world.service is not None)
    @rule(count=st.sampled_from([30, 120, 300]), accuracy=st.sampled_from([0.6, 0.9, 0.97]))
    def labels_come(self, count: int, accuracy: float) -> None:
        self.world.time_passes(timedelta(seconds=30))
        self.world.labels_come(count, accuracy)
        self.world.reconcile()

    @precondition(lambda self: self.world.service is not None)
    @rule()
    def the_world_changes(self) -> None:
        """The accuracy falls, and labels go on to come."""
        self.labels_come(300, 0.6)
        self.time_passes(2.0)
        self.labels_come(120, 0.6)

    @rule(coverage=st.sampled_from([0.05, 1.0]))
    def clients_label_less_or_more(self, coverage: float) -> None:
        self.world.hub.coverage = coverage

    @rule(share=st.sampled_from([0.0, 0.3, 1.0]))
    def rows_repeat_more_or_less(self, share: float) -> None:
        """Rows equal to ones that were trained on cannot be scored."""
        self.world.hub.scored_share = share

    @precondition(lambda self: self.world.service is not None)
    @rule(psi=st.sampled_from([0.05, 0.18, 0.25, 0.9]))
    def values_move(self, psi: float) -> None:
        """What the model is asked moves from what it learnt, hovers about the threshold, or comes back."""
        self.world.values_move(psi)
        self.time_passes(1.0)
        self.world.reconcile()

    # --- people ---------------------------------------------------------------------------------------------------

    @rule(
        change=st.sampled_from(
            [
                {"training": {"estimator": "SVC"}},
                {"training": {"estimator": "RandomForestClassifier"}},
                {"training": {"deadline": "2h"}},
                {"training": {"search": {"parameters": {"max_depth": [3, 5, 9]}, "parallelism": 3}}},
                {"objective": {"threshold": 0.92}},
                {"objective": {"threshold": 0.99}},
                {"serving": {"replicas": 1}},
                {"serving": {"replicas": 3}},
                {"serving": {}},
                {"serving": {"autoscaling": {"minReplicas": 2, "maxReplicas": 5, "inFlight": 4}}},
                {"serving": {"autoscaling": {"maxReplicas": 3, "inFlight": 4}}},
                {"monitoring": {"minSamples": 100, "minCoverage": 0.5}},
                {"paused": True},
                {"paused": False},
                {"version": None},
                {"retraining": {**BASE["retraining"], "mode": "Observe"}},
                {"retraining": BASE["retraining"]},
                {"retraining": {**BASE["retraining"], "triggers": []}},
                {"retraining": {"cooldown": "1m"}},
                {"retraining": {**BASE["retraining"], "online": {"minRecords": 50, "minInterval": "1m"}}},
            ]
        )
    )
    def somebody_edits_the_spec(self, change: dict[str, Any]) -> None:
        self.parts = {**self.parts, **change}
        self.world.edit(make_spec(**self.parts))

    @precondition(lambda self: self.world.versions)
    @rule(data=st.data())
    def somebody_pins_a_version(self, data: st.DataObject) -> None:
        numbers = [version.number for version in self.world.versions.values()]
        self.somebody_edits_the_spec({"version": data.draw(st.sampled_from([*numbers, 99]))})

    @rule()
    def somebody_asks_for_a_run(self) -> None:
        self.requests += 1
        self.world.request(f"token-{self.requests}")

    @precondition(lambda self: self.world.deployments)
    @rule(data=st.data())
    def somebody_edits_a_deployment(self, data: st.DataObject) -> None:
        self.world.deployment_is_edited(data.draw(st.sampled_from(sorted(self.world.deployments))))

    # --- in the end -----------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        """All comes to rest: nothing more to do, an equal status, no run without a reason."""
        world = self.world
        world.settle()
        decision = planned(world.observe(), world.now)
        assert decision.actions == ()
        assert decision.events == ()
        assert decision.status == world.model.status
        assert not any(job.view.state in LIVE for job in world.jobs.values())
        assert not any(job.workers for job in world.jobs.values()), "a search is left over"


TestLoop = Loop.TestCase
TestLoop.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
