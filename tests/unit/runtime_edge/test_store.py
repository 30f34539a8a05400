from __future__ import annotations

from typing import Any

import pytest
from tests.unit.runtime_edge import manifests

from evermodel.core.observed import ModelKey
from evermodel.kube.kinds import AUTOSCALER, DEPLOYMENT, JOB, MODEL, POD, VERSION
from evermodel.runtime.intake import Intake
from evermodel.runtime.pruning import owns_number_of_pods
from evermodel.runtime.store import Change, ObjectKey, Store, is_owned_by, key_of, owner_of
from evermodel.runtime.views import deployment_view
from evermodel.runtime.workqueue import WorkQueue

KEY = ModelKey(namespace=manifests.NAMESPACE, name=manifests.MODEL)


def with_version(manifest: dict[str, Any], version: str) -> dict[str, Any]:
    return {**manifest, "metadata": {**manifest["metadata"], "resourceVersion": version}}


@pytest.mark.parametrize(
    ("known", "given", "change"),
    [
        pytest.param("9", "10", Change.STORED, id="a later state replaces an earlier one, compared as numbers"),
        pytest.param("10", "9", Change.KNOWN, id="an earlier state, come late, is left"),
        pytest.param("10", "10", Change.KNOWN, id="the same state is known"),
        pytest.param("a1", "a0", Change.STORED, id="where versions are no numbers, the last to come wins"),
    ],
)
def test_only_a_newer_state_replaces_what_is_known(known: str, given: str, change: Change) -> None:
    store = Store()
    store.put(MODEL, with_version(manifests.model(), known))
    assert store.put(MODEL, with_version(manifests.model(), given)) is change


def test_a_deleted_object_does_not_come_back_but_another_of_its_name_does() -> None:
    store = Store()
    first = manifests.version(uid="first")
    store.put(VERSION, first)
    assert store.remove(VERSION, key_of(first), "first") is Change.STORED
    assert store.put(VERSION, with_version(first, "99")) is Change.KNOWN
    assert store.put(VERSION, with_version(manifests.version(uid="second"), "100")) is Change.STORED
    assert store.remove(VERSION, key_of(first), "first") is Change.KNOWN
    assert len(store.of_model(VERSION, KEY)) == 1


def test_what_belongs_to_a_model_is_found_by_label_and_by_owner_and_forgotten_with_it() -> None:
    store = Store()
    unlabelled = manifests.version(2)
    del unlabelled["metadata"]["labels"]
    for kind, manifest in ((VERSION, manifests.version(1)), (VERSION, unlabelled), (POD, manifests.pod())):
        store.put(kind, manifest)
    assert [found["metadata"]["name"] for found in store.of_model(VERSION, KEY)] == ["digits-v1", "digits-v2"]
    store.remove(VERSION, key_of(unlabelled), unlabelled["metadata"]["uid"])
    assert [found["metadata"]["name"] for found in store.of_model(VERSION, KEY)] == ["digits-v1"]
    assert store.of_model(VERSION, ModelKey(namespace="other", name=manifests.MODEL)) == []
    assert owner_of(unlabelled) == KEY
    assert is_owned_by(unlabelled, manifests.MODEL_UID)


def test_only_what_plans_are_made_from_is_kept() -> None:
    store = Store()
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": "{…}", "evermodel.dev/retrain": "1"}
    store.put(MODEL, manifests.model(annotations=annotations))
    store.put(POD, manifests.pod())
    (pod,) = store.of_model(POD, KEY)
    model = store.get(MODEL, ObjectKey(*(manifests.NAMESPACE, manifests.MODEL)))
    assert model is not None
    assert "spec" not in pod
    assert "managedFields" not in pod["metadata"]
    assert model["metadata"]["annotations"] == {"evermodel.dev/retrain": "1"}


APPLIED = {"manager": "evermodel", "operation": "Apply", "fieldsV1": {"f:spec": {"f:replicas": {}, "f:template": {}}}}


@pytest.mark.parametrize(
    ("fields", "owns"),
    [
        pytest.param([APPLIED], True, id="what it applied has the field"),
        pytest.param([], False, id="it applied nothing"),
        pytest.param([APPLIED | {"fieldsV1": {"f:spec": {"f:template": {}}}}], False, id="it left the field out"),
        pytest.param([APPLIED | {"manager": "evermodel-handed-over"}], False, id="another manager has it"),
        pytest.param([APPLIED | {"operation": "Update"}], False, id="it was no apply"),
    ],
)
def test_who_sets_a_deployments_number_of_pods_is_kept(fields: list[dict[str, Any]], *, owns: bool) -> None:
    store = Store()
    found = manifests.deployment()
    store.put(DEPLOYMENT, found | {"metadata": found["metadata"] | {"managedFields": fields}})
    (kept,) = store.of_model(DEPLOYMENT, KEY)
    assert owns_number_of_pods(kept) is owns
    assert deployment_view(kept, [], drifted=False).owns_replicas is owns


def test_an_autoscaler_that_only_measures_is_no_news() -> None:
    store = Store()
    broken = manifests.condition("ScalingActive", "FailedGetPodsMetric") | {"status": "False"}
    assert store.put(AUTOSCALER, manifests.autoscaler()) is Change.STORED
    measured = with_version(manifests.autoscaler(currentMetrics=[{"type": "Pods"}]), "2")
    assert store.put(AUTOSCALER, measured) is Change.KNOWN
    assert store.put(AUTOSCALER, with_version(manifests.autoscaler(conditions=[broken]), "3")) is Change.STORED


def test_a_deletion_that_was_asked_for_is_remembered_until_it_is_done() -> None:
    store = Store()
    job = manifests.job()
    store.put(JOB, job)
    store.mark_deleting(JOB, key_of(job), manifests.JOB_UID, manifests.CREATED)
    (known,) = store.of_model(JOB, KEY)
    assert known["metadata"]["deletionTimestamp"] == manifests.CREATED
    assert "deletionTimestamp" not in job["metadata"]


def test_news_enqueues_the_model_concerned_and_known_news_nobody() -> None:
    store, queue = Store(), WorkQueue[ModelKey]()
    intake = Intake(store, queue)
    store.put(DEPLOYMENT, manifests.deployment())  # the answer to the operator's own write
    intake.saw(DEPLOYMENT, manifests.deployment())
    assert len(queue) == 0
    intake.saw(DEPLOYMENT, with_version(manifests.deployment(), "2"))
    intake.saw(POD, manifests.pod())
    intake.gone(POD, manifests.pod())
    assert len(queue) == 1


def test_news_of_the_hub_concerns_every_model_of_its_namespace() -> None:
    store, queue = Store(), WorkQueue[ModelKey]()
    intake = Intake(store, queue)
    for name, namespace in (("a", "team"), ("b", "team"), ("c", "other")):
        store.put(MODEL, {"metadata": manifests.metadata(name, name) | {"namespace": namespace}})
    hub = manifests.pod("evermodel-hub-0")
    hub["metadata"]["labels"] = {"evermodel.dev/component": "hub"}
    intake.saw(POD, hub)
    assert len(queue) == 2
