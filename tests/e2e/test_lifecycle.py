"""How other programs read a model's status, and what is left of a model that is deleted."""

from __future__ import annotations

from tests.demo.stages import Snapshot
from tests.e2e import manifests
from tests.e2e.load import Load
from tests.e2e.namespaces import Namespace, eventually
from tests.kstatus.build import kstatus

from evermodel.api.conditions import ConditionStatus, ConditionType, Reason
from evermodel.api.modelversion import VersionPhase
from evermodel.core.names import RETRAIN_ANNOTATION

KINDS = "modeldeployments,modelversions,jobs,deployments,replicasets,services,pods"


def first_is_trained(snapshot: Snapshot) -> bool:
    """A first version is in training."""
    return [one.status.phase for one in snapshot.versions] == [VersionPhase.TRAINING]


def second_is_trained(snapshot: Snapshot) -> bool:
    """A second version is in training."""
    return [one.status.phase for one in snapshot.versions] == [VersionPhase.CHAMPION, VersionPhase.TRAINING]


def second_is_rejected(snapshot: Snapshot) -> bool:
    """The second version is no better, and the status says so."""
    return snapshot.has(ConditionType.TRAINED, ConditionStatus.FALSE) and snapshot.status.candidate is None


def has_stalled(snapshot: Snapshot) -> bool:
    """Only a person can go on."""
    return snapshot.has(ConditionType.STALLED, ConditionStatus.TRUE)


async def test_kstatus_reads_every_phase_right(shared: Namespace) -> None:
    async def read(model: str) -> str:
        (status,) = kstatus([await shared.manifest(model)])
        return status

    await shared.apply(manifests.iris(), manifests.without_data("dataless"))
    await shared.until("iris", first_is_trained)
    assert await read("iris") == "InProgress"
    await shared.becomes_ready("iris")
    assert await read("iris") == "Current"

    await shared.kubectl("annotate", "model/iris", f"{RETRAIN_ANNOTATION}=now")
    await shared.until("iris", second_is_trained)
    assert await read("iris") == "Current", "a retraining in the background is no reason to wait"
    await shared.until("iris", second_is_rejected)
    assert await read("iris") == "Current"

    await shared.until("dataless", has_stalled)
    assert await read("dataless") == "Failed"


async def test_a_deleted_model_leaves_nothing_and_comes_back_from_the_hub_without_a_job(shared: Namespace) -> None:
    await shared.apply(manifests.iris("lasting"))
    first = await shared.becomes_ready("lasting")
    assert first.status.champion is not None

    await shared.kubectl("delete", "model/lasting")

    async def nothing_is_left() -> bool | None:
        left = (await shared.kubectl("get", f"{KINDS},secrets", "-o", "name")).split()
        return not [name for name in left if "/lasting" in name] or None

    await eventually(nothing_is_left, "all that belonged to the model is gone")

    await shared.apply(manifests.iris("lasting"))
    second = await shared.becomes_ready("lasting")
    async with Load(
        url=f"{await shared.address('lasting')}/v2/models/lasting/infer", bodies=[manifests.IRIS_REQUEST], per_second=20
    ).running() as load:
        await eventually(load.was_answered, "the adopted version answers")

    (version,) = second.versions
    assert (version.spec.number, version.spec.trigger.reason) == (1, Reason.ADOPTED)
    assert second.status.champion is not None
    assert (second.status.champion.training_hash, second.status.champion.holdout) == (
        first.status.champion.training_hash,
        first.status.champion.holdout,
    )
    assert await shared.jobs("lasting") == set()
    assert (load.failures, set(load.answers)) == ([], {"1"})
    await shared.event("lasting", Reason.ADOPTED)
