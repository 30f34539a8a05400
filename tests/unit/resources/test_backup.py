"""The manifests of a hub's backup fit the hub that the operator makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.core.made import SETTINGS

from evermodel.resources.hub import POD, build_hub_stateful_set
from evermodel_runtime.__main__ import WITH_ARGUMENTS

FOLDER = Path(__file__).parents[3] / "manifests/backup"
HUB = build_hub_stateful_set(SETTINGS)


def objects(name: str) -> dict[str, Any]:
    return {one["kind"]: one for one in yaml.safe_load_all((FOLDER / name).read_text())}


def pods() -> dict[str, dict[str, Any]]:
    return {
        "cronjob.yaml": objects("cronjob.yaml")["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"],
        "restore.yaml": objects("restore.yaml")["Pod"]["spec"],
    }


@pytest.mark.parametrize(("name", "pod"), pods().items(), ids=pods())
def test_a_pod_has_the_hubs_volume_user_and_restrictions(name: str, pod: dict[str, Any]) -> None:
    hub = HUB["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    claim = f"{HUB['spec']['volumeClaimTemplates'][0]['metadata']['name']}-{POD}"

    assert pod["securityContext"] == hub["securityContext"], name
    assert container["securityContext"] == hub["containers"][0]["securityContext"]
    assert {one["name"]: one.get("persistentVolumeClaim", {}).get("claimName") for one in pod["volumes"]}[
        "data"
    ] == claim
    mounts = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
    assert mounts.items() >= {one["name"]: one["mountPath"] for one in hub["containers"][0]["volumeMounts"]}.items()


def test_the_backup_runs_a_command_on_the_hubs_node() -> None:
    pod = pods()["cronjob.yaml"]
    (rule,) = pod["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]

    assert pod["containers"][0]["args"][0] in WITH_ARGUMENTS
    assert rule["labelSelector"]["matchLabels"].items() <= HUB["spec"]["template"]["metadata"]["labels"].items()


def test_the_volume_to_restore_into_is_the_hubs_claim() -> None:
    claim, template = objects("restore.yaml")["PersistentVolumeClaim"], HUB["spec"]["volumeClaimTemplates"][0]

    assert claim["metadata"]["name"] == f"{template['metadata']['name']}-{POD}"
    assert claim["spec"] == template["spec"]
