"""Earlier versions as members of an ensemble: by digest, and only those that passed their gate."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.core.made import actions_of, make_observed, make_spec, make_version

from evermodel.api.modeldeployment import ModelDeploymentSpec
from evermodel.api.modelversion import VersionPhase
from evermodel.contract import Member, TrainRun
from evermodel.core.actions import CreateJob, DeleteVersion, WriteVersionStatus
from evermodel.core.hashing import training_hash
from evermodel.core.observed import Observed, VersionView

TREE = {"name": "tree", "estimator": "DecisionTreeClassifier"}


def voting_with(version: int | str, **change: Any) -> ModelDeploymentSpec:
    members = [TREE, {"name": "old", "version": version}]
    return make_spec(training={"estimator": None, "ensemble": {"type": "Voting", "members": members}}, **change)


def in_training(spec: ModelDeploymentSpec, *before: VersionView) -> Observed:
    return make_observed(*before, make_version(9, VersionPhase.TRAINING, spec=spec), spec=spec)


FIRST = make_version(1, VersionPhase.ARCHIVED, manifest="a" * 64)
REJECTED = make_version(2, VersionPhase.REJECTED, manifest="b" * 64)
CHAMPION = make_version(3, VersionPhase.CHAMPION, manifest="c" * 64)


@pytest.mark.parametrize(
    ("declared", "before", "expected"),
    [
        pytest.param(1, (FIRST, CHAMPION), Member(name="old", version=1, manifest="a" * 64), id="by its number"),
        pytest.param(
            3, (FIRST, CHAMPION), Member(name="old", version=3, manifest="c" * 64), id="the champion's number"
        ),
        pytest.param("Champion", (FIRST, CHAMPION), Member(name="old", manifest="c" * 64), id="the champion"),
        pytest.param("Champion", (), Member(name="old"), id="no champion yet"),
    ],
)
def test_the_job_is_told_the_digest(declared: int | str, before: tuple[VersionView, ...], expected: Member) -> None:
    [job] = actions_of(in_training(voting_with(declared), *before), CreateJob)

    assert isinstance(job.run, TrainRun)
    assert job.run.ensemble is not None
    assert job.run.ensemble.members[1] == expected


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        pytest.param(
            2, "version 2 is Rejected, and a member must have passed its gate. Choose one of 1, 3.", id="worse"
        ),
        pytest.param(4, "version 4 was deleted. Choose one of 1, 3.", id="deleted"),
        pytest.param(9, "version 9 is Training, and a member must have passed its gate.", id="itself"),
        pytest.param(12, "there is no version 12, and a member must have passed its gate.", id="never made"),
    ],
)
def test_what_cannot_be_a_member_ends_the_run_before_its_job(declared: int, words: str) -> None:
    observed = in_training(voting_with(declared), FIRST, REJECTED, CHAMPION)

    assert actions_of(observed, CreateJob) == []
    [write] = [one for one in actions_of(observed, WriteVersionStatus) if one.name == "digits-v9"]
    assert write.status.phase is VersionPhase.FAILED
    assert write.status.failure is not None
    assert write.status.failure.reason == "SpecInvalid"
    assert write.status.failure.message.startswith(f"spec.training.ensemble.members[1].version: {words}")


def test_a_version_that_is_a_member_is_kept_beyond_the_history() -> None:
    versions = [make_version(number, VersionPhase.ARCHIVED) for number in (1, 2, 3, 4)]
    champion = make_version(5, VersionPhase.CHAMPION)

    kept, without = (
        [action.name for action in actions_of(make_observed(*versions, champion, spec=spec), DeleteVersion)]
        for spec in (voting_with(2, revisionHistoryLimit=1), make_spec(revisionHistoryLimit=1))
    )

    assert "digits-v2" in without
    assert kept == [name for name in without if name != "digits-v2"]


def test_another_member_is_another_training() -> None:
    hashes = {training_hash(voting_with(version)) for version in (1, 2, "Champion")}

    assert len(hashes) == 3
