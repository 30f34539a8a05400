"""The serving Deployment of one version."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from evermodel.api.modeldeployment import Serving
from evermodel.contract import SERVE_ENV, TOKEN_ENV, CaptureRules, ServeConfig
from evermodel.core import names
from evermodel.core.actions import Manifest
from evermodel.core.durations import parse_duration
from evermodel.core.observed import ModelView, OperatorSettings, VersionView
from evermodel.resources.ownership import owned_by_model
from evermodel.resources.pods import container, from_secret, pod_template, serves_http
from evermodel.resources.stamp import stamped

REQUESTS: Final = {"cpu": "100m", "memory": "192Mi"}
_GRACE_SECONDS: Final = 45
"""Longer than a pod takes to drain (10 s) and to finish what is in flight (15 s)."""
_PROGRESS_SECONDS: Final = 300
"""Pods that are not ready by then never will be: the candidate has failed."""


def build_deployment(
    model: ModelView, version: VersionView, settings: OperatorSettings, replicas: int | None
) -> Manifest:
    """Return the Deployment that serves a version. Its pods change with the version's artifact and pod settings only.

    An upgrade of the operator, another threshold or another number of replicas leaves the template as it is: each
    version is served by the image that it was trained with. Without a number of ``replicas`` the field is left to who
    owns it.
    """
    serving = model.spec.serving
    selector = names.serving_selector(model.key.name, version.number)
    labels = names.labels(names.Component.SERVE, model=model.key.name, version=version.number)
    return stamped(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {
                "name": names.version_name(model.key.name, version.number),
                "labels": labels,
                "ownerReferences": owned_by_model(model),
                **_left_by_autoscaling(serving, replicas),
            },
            "spec": {
                **({"replicas": replicas} if replicas is not None else {}),
                "selector": {"matchLabels": selector},
                "revisionHistoryLimit": 1,
                "progressDeadlineSeconds": _PROGRESS_SECONDS,
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
                "template": pod_template(
                    labels=labels,
                    settings=serving.template,
                    container=container(
                        image=serving.template.image or version.spec.image,
                        command=names.Component.SERVE.value,
                        settings=serving.template,
                        env=(
                            {"name": SERVE_ENV, "value": _config(model, version, settings)},
                            from_secret(
                                TOKEN_ENV,
                                names.model_secret_name(model.key.name, settings.hub_key_fingerprint),
                                names.SecretEntry.SERVER.value,
                            ),
                        ),
                        requests=REQUESTS,
                        **serves_http(
                            names.SERVE_PORT,
                            ready="/v2/health/ready",
                            live="/v2/health/live",
                            grpc_port=None if serving.grpc is None else names.GRPC_PORT,
                        ),
                    ),
                    grace_seconds=_GRACE_SECONDS,
                    topologySpreadConstraints=[
                        {
                            "maxSkew": 1,
                            "topologyKey": "kubernetes.io/hostname",
                            "whenUnsatisfiable": "ScheduleAnyway",
                            "labelSelector": {"matchLabels": selector},
                        }
                    ],
                ),
            },
        }
    )


def _left_by_autoscaling(serving: Serving, replicas: int | None) -> dict[str, dict[str, str]]:
    """Return the annotation that remembers a number which nobody declares: a hand edit is put right by it."""
    if serving.replicas is not None or serving.autoscaling is not None or replicas in {None, 1}:
        return {}
    return {"annotations": {names.REPLICAS_ANNOTATION: str(replicas)}}


def _config(model: ModelView, version: VersionView, settings: OperatorSettings) -> str:
    spec = model.spec
    rules = _capture_rules(model)
    wanted = spec.retraining.data.include_feedback or spec.monitoring.offline is not None or rules is not UNSET
    config = ServeConfig(
        namespace=model.key.namespace,
        model=model.key.name,
        version=version.number,
        hub_url=settings.hub_url,
        manifest=version.status.manifest or "",
        capture=wanted and (rules is UNSET or not rules.withheld),
        capture_rules=rules,
        grpc_port=msgspec.UNSET if model.spec.serving.grpc is None else names.GRPC_PORT,
    )
    return msgspec.json.encode(config).decode()


def _capture_rules(model: ModelView) -> CaptureRules | UnsetType:
    declared = model.spec.monitoring.capture
    if declared is None:
        return UNSET
    return CaptureRules(
        sample=declared.sample,
        drop=declared.drop,
        hash=declared.hash,
        max_age=parse_duration(declared.max_age).total_seconds(),
        max_records=declared.max_records,
        caller_ids=declared.caller_ids,
    )
