"""What the builders promise: the API server and real pods are asked in the integration and e2e tests."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from tests.unit.resources import made

from evermodel.api.modeldeployment import Autoscaling, Estimator, Grpc, Serving, Training
from evermodel.api.template import EnvVar, PodTemplate, Resources, Toleration, TolerationOperator
from evermodel.contract import RUN_ENV, SERVE_ENV, SOURCE_MOUNT, FreshRange, OfflineRun, ServeConfig, TrainRun
from evermodel.core import names
from evermodel.core.builders import fingerprint
from evermodel.core.names import Component
from evermodel.resources import BUILDERS
from evermodel.resources.hub import HUB_BUILDERS
from evermodel.resources.jobs import build_job, build_search_job
from evermodel.resources.secrets import build_hub_secret, build_model_secret
from evermodel.tokens import Role, hub_key, role_token

TEMPLATE = PodTemplate(
    image="registry.example/own:1",
    image_pull_secrets=("pull",),
    resources=Resources(requests={"cpu": 2}, limits={"memory": "2Gi"}),
    env=(EnvVar(name="OMP_NUM_THREADS", value="1"),),
    priority_class_name="high",
    node_selector={"disk": "ssd"},
    tolerations=(Toleration(key="gpu", operator=TolerationOperator.EXISTS),),
    labels={"team": "a"},
    annotations={"note": "b"},
)


def job(**training: Any) -> dict[str, Any]:
    spec = made.changed(training=msgspec.structs.replace(made.SPEC.training, **training))
    return build_job(made.model(spec), made.version(spec), made.SETTINGS, "iris-v1-train-1", made.train_run())


def search_job(**training: Any) -> dict[str, Any]:
    spec = made.changed(training=msgspec.structs.replace(made.SPEC.training, **training))
    version = made.version(spec)
    return build_search_job(made.model(spec), version, made.SETTINGS, "iris-v1-search", made.train_run(), workers=3)


def pods() -> dict[str, dict[str, Any]]:
    return {
        "job": job()["spec"]["template"],
        "search": search_job()["spec"]["template"],
        "server": BUILDERS.deployment(made.model(), made.version(), made.SETTINGS, 1)["spec"]["template"],
        "hub": HUB_BUILDERS["StatefulSet"](made.SETTINGS)["spec"]["template"],
    }


def autoscaler(**autoscaling: Any) -> dict[str, Any]:
    return BUILDERS.autoscaler(made.model(), 3, Autoscaling(max_replicas=9, **autoscaling))


def test_the_autoscaler_scales_the_deployment_of_one_version() -> None:
    built = autoscaler(min_replicas=2, cpu_utilization=70, in_flight=4)
    spec = built["spec"]
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "iris-v3"}
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 9)
    cpu, in_flight = spec["metrics"]
    assert cpu["resource"] == {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}
    assert in_flight["pods"]["metric"] == {"name": "evermodel_server_requests_in_flight"}
    assert in_flight["pods"]["target"] == {"type": "AverageValue", "averageValue": "4"}
    assert spec["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 300


def test_the_autoscaler_follows_what_is_declared_alone() -> None:
    assert [one["type"] for one in autoscaler(cpu_utilization=70)["spec"]["metrics"]] == ["Resource"]
    assert [one["type"] for one in autoscaler(in_flight=4)["spec"]["metrics"]] == ["Pods"]


@pytest.mark.parametrize(
    ("serving", "replicas", "kept"),
    [
        pytest.param(Serving(), 5, "5", id="a number that autoscaling left is remembered"),
        pytest.param(Serving(), 1, None, id="the one of every model is not"),
        pytest.param(Serving(replicas=5), 5, None, id="nor one that is declared"),
        pytest.param(Serving(autoscaling=Autoscaling(max_replicas=9, in_flight=4)), 5, None, id="nor a candidate's"),
        pytest.param(Serving(autoscaling=Autoscaling(max_replicas=9, in_flight=4)), None, None, id="nor none"),
    ],
)
def test_the_number_of_pods_of_a_deployment(serving: Serving, replicas: int | None, kept: str | None) -> None:
    model = made.model(made.changed(serving=serving))
    built = BUILDERS.deployment(model, made.version(), made.SETTINGS, replicas)
    assert built["spec"].get("replicas") == replicas
    assert built["metadata"]["annotations"].get(names.REPLICAS_ANNOTATION) == kept


@pytest.mark.parametrize("kind", ["job", "search", "server", "hub"])
def test_no_pod_has_more_rights_than_it_needs(kind: str) -> None:
    spec = pods()[kind]["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    [container] = spec["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_the_pod_settings_of_the_user_are_taken_over() -> None:
    spec = made.changed(serving=Serving(template=TEMPLATE))
    template = BUILDERS.deployment(made.model(spec), made.version(), made.SETTINGS, 1)["spec"]["template"]
    [container] = template["spec"]["containers"]
    assert container["image"] == "registry.example/own:1"
    assert container["resources"] == {"requests": {"cpu": 2, "memory": "192Mi"}, "limits": {"memory": "2Gi"}}
    assert container["env"][0] == {"name": "OMP_NUM_THREADS", "value": "1"}
    assert template["metadata"]["labels"]["team"] == "a"
    assert template["metadata"]["annotations"] == {"note": "b"}
    chosen = {"imagePullSecrets", "priorityClassName", "nodeSelector", "tolerations"}
    assert {field: template["spec"][field] for field in chosen} == {
        "imagePullSecrets": [{"name": "pull"}],
        "priorityClassName": "high",
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
    }


def test_a_job_is_told_its_run_and_started_once() -> None:
    spec = job(deadline="1h30m")["spec"]
    assert (spec["backoffLimit"], spec["activeDeadlineSeconds"]) == (0, 5400)
    env = {variable["name"]: variable for variable in spec["template"]["spec"]["containers"][0]["env"]}
    assert msgspec.json.decode(env[RUN_ENV]["value"], type=TrainRun) == made.train_run()


def test_a_config_map_is_mounted_even_if_it_is_not_there_yet() -> None:
    run = made.train_run("configmap://churn/train.csv")
    spec = build_job(made.model(), made.version(), made.SETTINGS, "job", run)["spec"]["template"]["spec"]
    assert {"name": "source", "configMap": {"name": "churn", "optional": True}} in spec["volumes"]
    mounts = {mount["name"]: mount for mount in spec["containers"][0]["volumeMounts"]}
    assert mounts["source"] == {"name": "source", "mountPath": SOURCE_MOUNT, "readOnly": True}


def test_a_claim_is_mounted_for_reading() -> None:
    run = made.train_run("pvc://sales/2026/train.csv")
    spec = build_job(made.model(), made.version(), made.SETTINGS, "job", run)["spec"]["template"]["spec"]
    claim = {"claimName": "sales", "readOnly": True}
    assert {"name": "source", "persistentVolumeClaim": claim} in spec["volumes"]
    [container] = spec["containers"]
    assert {"name": "source", "mountPath": SOURCE_MOUNT, "readOnly": True} in container["volumeMounts"]


def test_the_secret_of_a_server_is_mounted_and_is_in_no_variable() -> None:
    run = made.train_run("https://files.example/train.csv")
    run = msgspec.structs.replace(run, data=msgspec.structs.replace(run.data, credentials="warehouse"))
    spec = build_job(made.model(), made.version(), made.SETTINGS, "job", run)["spec"]["template"]["spec"]
    assert {"name": "source", "secret": {"secretName": "warehouse", "optional": True}} in spec["volumes"]
    [container] = spec["containers"]
    assert {"name": "source", "mountPath": SOURCE_MOUNT, "readOnly": True} in container["volumeMounts"]
    secrets = [one["valueFrom"]["secretKeyRef"]["name"] for one in container["env"] if "valueFrom" in one]
    assert "warehouse" not in secrets


UNRELATED = {
    "an upgrade of the operator": (made.SPEC, replace(made.SETTINGS, runtime_image="evermodel-runtime:3")),
    "another threshold": (
        made.changed(objective=msgspec.structs.replace(made.SPEC.objective, threshold=0.8)),
        made.SETTINGS,
    ),
    "another number of replicas": (made.changed(serving=Serving(replicas=5)), made.SETTINGS),
    "another estimator for the next version": (
        made.changed(training=Training(estimator=Estimator.SVC)),
        made.SETTINGS,
    ),
}


@pytest.mark.parametrize("change", UNRELATED)
def test_serving_pods_are_not_restarted_by(change: str) -> None:
    before = BUILDERS.deployment(made.model(), made.version(), made.SETTINGS, 1)
    spec, settings = UNRELATED[change]
    after = BUILDERS.deployment(made.model(spec), made.version(), settings, 1)
    assert after["spec"]["template"] == before["spec"]["template"]


GRPC = made.changed(serving=Serving(grpc=Grpc(port=8001)))


def test_grpc_has_a_port_of_its_own_in_pods_and_in_their_service_where_it_is_declared() -> None:
    template = BUILDERS.deployment(made.model(GRPC), made.version(), made.SETTINGS, 1)["spec"]["template"]
    [container] = template["spec"]["containers"]
    env = {variable["name"]: variable for variable in container["env"]}
    config = msgspec.json.decode(env[SERVE_ENV]["value"], type=ServeConfig)
    _, port = BUILDERS.service(made.model(GRPC), 1)["spec"]["ports"]

    assert {one["name"]: one["containerPort"] for one in container["ports"]} == {"http": 8080, "grpc": 9000}
    assert config.grpc_port == port["targetPort"] == 9000
    assert (port["name"], port["port"], port["appProtocol"]) == ("grpc", 8001, "kubernetes.io/h2c")


def test_pods_of_a_model_without_grpc_are_told_nothing_of_it_so_that_those_of_earlier_releases_stay() -> None:
    template = BUILDERS.deployment(made.model(), made.version(), made.SETTINGS, 1)["spec"]["template"]
    service = BUILDERS.service(made.model(), 1)
    assert "grpc" not in repr([template, service]).lower()


def test_another_port_of_the_service_leaves_the_pods_as_they_are() -> None:
    other = made.changed(serving=Serving(grpc=Grpc(port=9001)))
    one, another = (
        BUILDERS.deployment(made.model(spec), made.version(), made.SETTINGS, 1)["spec"]["template"]
        for spec in (GRPC, other)
    )
    assert one == another


def test_a_digest_tells_one_manifest_from_another() -> None:
    first, second = BUILDERS.service(made.model(), 1), BUILDERS.service(made.model(), 2)
    assert fingerprint(first) == fingerprint(BUILDERS.service(made.model(), 1))
    assert fingerprint(first) != fingerprint(second)
    assert first["metadata"]["name"] == second["metadata"]["name"] == "iris"


def test_tokens_derive_from_the_master_key_and_the_name_tells_no_more_than_the_key_s_fingerprint() -> None:
    master = b"m" * 32
    key = hub_key(master, "team")
    secret = build_model_secret(master, made.model())
    assert b64decode(secret["data"]["server"]).decode() == role_token(key, "iris", Role.SERVER)
    assert b64decode(secret["data"]["trainer"]).decode() == role_token(key, "iris", Role.TRAINER)
    hub = build_hub_secret(master, "team")
    assert b64decode(hub["data"]["key"]).decode() == key
    assert b64decode(hub["data"]["upload"]).decode() == role_token(key, "*", Role.UPLOADER)
    assert secret["immutable"] is hub["immutable"] is True
    other = build_hub_secret(b"n" * 32, "team")
    assert other["metadata"]["name"] != hub["metadata"]["name"]
    assert key[:8] not in hub["metadata"]["name"]


def test_a_score_is_tried_again_mounts_no_source_and_goes_by_itself() -> None:
    run = OfflineRun(
        namespace="team",
        model="iris",
        version=1,
        hub_url="http://hub",
        scheduled="2030-01-01T12:00:00Z",
        champion="manifest-1",
        records=FreshRange(after=0, through=10),
        samples=100,
    )
    built = build_job(made.model(), made.version(), made.SETTINGS, "iris-v1-offline-1", run)
    spec = built["spec"]
    assert (spec["backoffLimit"], spec["ttlSecondsAfterFinished"]) == (2, 24 * 3600)
    [container] = spec["template"]["spec"]["containers"]
    assert container["args"] == ["offline"]
    assert built["metadata"]["labels"]["evermodel.dev/component"] == "offline"
    assert not any(volume["name"] == "source" for volume in spec["template"]["spec"].get("volumes", ()))


def test_pods_that_search_beside_a_training_have_what_its_pod_has() -> None:
    whole, beside = job(template=TEMPLATE, deadline="2h"), search_job(template=TEMPLATE, deadline="2h")

    assert whole["spec"]["activeDeadlineSeconds"] == beside["spec"]["activeDeadlineSeconds"] == 7200
    assert beside["metadata"]["ownerReferences"] == whole["metadata"]["ownerReferences"]
    trains, searches = (one["spec"]["template"] for one in (whole, beside))
    [container], [other] = trains["spec"]["containers"], searches["spec"]["containers"]
    assert (container.pop("args"), other.pop("args")) == (["train"], ["search"])
    assert trains["spec"] == searches["spec"]
    labels = {**trains["metadata"]["labels"], **names.labels(Component.SEARCH)}
    of_the_model = (names.APP_INSTANCE_LABEL, names.MODEL_LABEL, names.VERSION_LABEL)
    assert searches["metadata"]["labels"] == labels | {
        name: trains["metadata"]["labels"][name] for name in of_the_model
    }


def test_a_pod_that_searches_fails_by_itself_and_is_started_again_only_after_a_disruption() -> None:
    spec = search_job()["spec"]

    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 3, 3)
    assert spec["backoffLimitPerIndex"] == 0
    assert {rule["action"] for rule in spec["podFailurePolicy"]["rules"]} == {"Ignore"}
