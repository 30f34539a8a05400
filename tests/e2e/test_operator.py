"""The operator killed, upgraded and told new settings while models train and serve."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from tests.demo.clusters import OPERATOR, SYSTEM, wait_for_operator
from tests.demo.stages import Snapshot
from tests.e2e import manifests
from tests.e2e.installation import Installation
from tests.e2e.namespaces import Namespace, eventually, serves_version

from evermodel.api.conditions import Reason
from evermodel.api.modelversion import VersionPhase
from evermodel.core.names import HUB
from evermodel.kube.kinds import STATEFUL_SET


@dataclass(frozen=True, slots=True)
class Moment:
    """Where the second run is when the operator dies."""

    phase: VersionPhase

    def has_come(self, snapshot: Snapshot) -> bool:
        """The second run is where the operator is to die."""
        newest = snapshot.versions[-1]
        return (newest.spec.number, newest.status.phase) == (2, self.phase)


OTHER_OPERATOR = "localhost/evermodel-operator:dev"
OTHER_RUNTIME = "localhost/evermodel-runtime:dev"
"""Second names of the images on the local node, which are installed by their content."""
MOMENTS = (Moment(VersionPhase.TRAINING), Moment(VersionPhase.EVALUATING), Moment(VersionPhase.CANDIDATE))
"""During training, during the gate, during promotion."""


async def test_a_run_ends_the_same_when_the_operator_is_killed_in_each_of_its_stages(
    installation: Installation, shared: Namespace
) -> None:
    await shared.apply(manifests.weak_digits())
    await shared.becomes_ready("digits")
    await shared.patch("digits", {"training": manifests.forest(100)})
    for moment in MOMENTS:
        await shared.until("digits", moment.has_come)
        await installation.kill_operator()
        assert moment.has_come(await shared.look("digits")), "the operator was quicker than its end"
    ended = await shared.until("digits", serves_version(2))

    assert [(one.spec.number, one.status.phase) for one in ended.versions] == [
        (1, VersionPhase.ARCHIVED),
        (2, VersionPhase.CHAMPION),
    ]
    assert await shared.jobs("digits") == {
        f"digits-v{number}-{stage}" for number in (1, 2) for stage in ("train-1", "evaluate")
    }
    retraining = ended.status.retraining
    assert (retraining.count, retraining.attempt) == (1, 0)
    assert retraining.last_trigger == Reason.SPEC_CHANGED


@pytest.fixture
async def upgradable(installation: Installation) -> AsyncIterator[Installation]:
    """Give an installation whose images have a second name, and leave it as it was."""
    if not {OTHER_OPERATOR, OTHER_RUNTIME} <= installation.images.keys():
        pytest.skip("the images of this cluster have no second name to upgrade to")
    yield installation
    await installation.restore()


async def test_an_upgrade_more_replicas_and_another_threshold_start_no_job_and_restart_no_serving_pod(
    upgradable: Installation, shared: Namespace
) -> None:
    await shared.apply(manifests.iris())
    first = await shared.becomes_ready("iris")
    jobs, pods = await shared.jobs("iris"), await shared.serving_pods("iris")

    await _upgrade(upgradable, shared)
    assert await shared.serving_pods("iris") == pods

    await shared.kubectl("scale", "model/iris", "--replicas=3")
    scaled = await shared.becomes_ready("iris")
    assert scaled.status.replicas == 3
    more = await shared.serving_pods("iris")
    assert len(more) == 3
    assert pods.items() <= more.items(), "scaling only adds pods"

    await shared.patch("iris", {"objective": {"threshold": 0.99}})
    last = await shared.becomes_ready("iris")
    assert await shared.serving_pods("iris") == more

    assert await shared.jobs("iris") == jobs
    assert last.versions == first.versions
    assert last.status.champion == first.status.champion
    assert last.status.retraining == first.status.retraining


async def _upgrade(installation: Installation, namespace: Namespace) -> None:
    """Give operator and runtime another image name, and wait until the new operator has acted on it."""
    container = {
        "name": "operator",
        "image": OTHER_OPERATOR,
        "env": [{"name": "EVERMODEL_RUNTIME_IMAGE", "value": OTHER_RUNTIME}],
    }
    patch = {"spec": {"template": {"spec": {"containers": [container]}}}}
    await installation.kubectl("-n", SYSTEM, "patch", OPERATOR, "-p", json.dumps(patch))
    await wait_for_operator(installation.kubectl)

    async def hub_is_upgraded() -> bool | None:
        hub = await namespace.api.get(STATEFUL_SET, namespace.name, HUB)
        image = hub["spec"]["template"]["spec"]["containers"][0]["image"]
        status = hub["status"]
        return (image == OTHER_RUNTIME and status.get("updatedReplicas") == status.get("readyReplicas") == 1) or None

    await eventually(hub_is_upgraded, "the hub runs the new image")
