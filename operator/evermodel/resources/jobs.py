"""The Job of a run: one pod that trains or evaluates, started once."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, Final

import msgspec

from evermodel.contract import (
    DATA_ERROR_EXIT_CODE,
    DISRUPTION_EXIT_CODE,
    RUN_ENV,
    SOURCE_MOUNT,
    TOKEN_ENV,
    EvaluateRun,
    OfflineRun,
    RunConfig,
    TrainRun,
)
from evermodel.core import names
from evermodel.core.actions import Manifest
from evermodel.core.durations import parse_duration
from evermodel.core.observed import ModelView, OperatorSettings, VersionView
from evermodel.resources.custom import Ours, custom_metrics, custom_training
from evermodel.resources.ownership import owned_by_version
from evermodel.resources.pods import Part, Work, container, from_secret, pod_template

REQUESTS: Final = {"cpu": "250m", "memory": "512Mi"}
OFFLINE_RETRIES: Final = 2
OFFLINE_KEPT_SECONDS: Final = 24 * 3600
_GRACE_SECONDS: Final = 30
_POD_FIRST_SECONDS: Final = 120
"""How much longer a Job may take than its pod where containers of the user's own are in it."""
_SOURCE: Final = "source"
_CONFIG_MAP: Final = "configmap://"
_CLAIM: Final = "pvc://"
_BAD_DATA: Final = {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [DATA_ERROR_EXIT_CODE]}}
"""The same data would end the next pod as they ended this one."""


def build_job(
    model: ModelView, version: VersionView, settings: OperatorSettings, name: str, run: RunConfig
) -> Manifest:
    """Return the Job that does a run. It owns nothing and is owned by the version that it makes."""
    component = names.component_of(run)
    training = version.spec.training
    source = _source_of(run)
    ours, mounts = _containers(model, version, settings, run), _mounts(source)
    if isinstance(run, TrainRun) and run.container and training.container is not None:
        work = custom_training(training.container, ours, mounts, image=version.spec.image, requests=REQUESTS)
    elif isinstance(run, EvaluateRun) and run.custom_metrics:
        declared = tuple(one for one in model.spec.evaluation.custom_metrics if one.name in run.custom_metrics)
        work = custom_metrics(declared, ours, mounts, image=version.spec.image, requests=REQUESTS)
    else:
        work = Work(main=ours(command=component.value, mounts=mounts))
    deadline = _deadline(version)
    # A pod that outlives its own deadline is kept, and tells which metric hung; one that outlives its Job's is deleted.
    theirs = {"activeDeadlineSeconds": deadline} if work.before else {}
    return _job(
        model,
        version,
        name,
        component,
        spec={
            **_repetition(run),
            "activeDeadlineSeconds": deadline + (_POD_FIRST_SECONDS if theirs else 0),
            "podFailurePolicy": {"rules": [*_disruptions(work), _BAD_DATA]},
        },
        work=Work(main=work.main, before=work.before, volumes=(*source, *work.volumes)),
        **theirs,
    )


def build_search_job(
    model: ModelView, version: VersionView, settings: OperatorSettings, name: str, run: TrainRun, *, workers: int
) -> Manifest:
    """Return the Job whose pods make trials beside the training Job, with what that one's pod has.

    Each pod stands for itself: one that fails is not started again, and ends no other. One that is disrupted is.
    """
    source = _source_of(run)
    main = _containers(model, version, settings, run)(command=names.Component.SEARCH.value, mounts=_mounts(source))
    work = Work(main=main, volumes=source)
    return _job(
        model,
        version,
        name,
        names.Component.SEARCH,
        spec={
            "completionMode": "Indexed",
            "completions": workers,
            "parallelism": workers,
            "backoffLimitPerIndex": 0,
            "activeDeadlineSeconds": _deadline(version),
            "podFailurePolicy": {"rules": _disruptions(work)},
        },
        work=work,
    )


def _containers(model: ModelView, version: VersionView, settings: OperatorSettings, run: RunConfig) -> Ours:
    """Return what makes containers of ours that know the run and speak to the hub for the model."""
    return partial(
        container,
        image=version.spec.image,
        settings=version.spec.training.template,
        env=(
            {"name": RUN_ENV, "value": msgspec.json.encode(run).decode()},
            from_secret(
                TOKEN_ENV,
                names.model_secret_name(model.key.name, settings.hub_key_fingerprint),
                names.SecretEntry.TRAINER.value,
            ),
        ),
        requests=REQUESTS,
    )


def _mounts(source: tuple[Part, ...]) -> tuple[Part, ...]:
    return ({"name": _SOURCE, "mountPath": SOURCE_MOUNT, "readOnly": True},) if source else ()


def _deadline(version: VersionView) -> int:
    return max(math.ceil(parse_duration(version.spec.training.deadline).total_seconds()), 1)


def _job(
    model: ModelView,
    version: VersionView,
    name: str,
    component: names.Component,
    *,
    spec: Part,
    work: Work,
    **pod: Any,
) -> Manifest:
    """Return a Job with its pods' template."""
    labels = names.labels(component, model=model.key.name, version=version.number)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": labels, "ownerReferences": owned_by_version(version)},
        "spec": {
            **spec,
            "podReplacementPolicy": "Failed",
            "template": pod_template(
                labels=labels,
                settings=version.spec.training.template,
                container=work.main,
                before=work.before,
                volumes=work.volumes,
                grace_seconds=_GRACE_SECONDS,
                restartPolicy="Never",
                **pod,
            ),
        },
    }


def _repetition(run: RunConfig) -> Part:
    """Another attempt at a version is another version, which the operator decides on; a mere score is tried again.

    Nobody owns the Jobs of scores but the champion, which may stay for long: they go by themselves.
    """
    if isinstance(run, OfflineRun):
        return {"backoffLimit": OFFLINE_RETRIES, "ttlSecondsAfterFinished": OFFLINE_KEPT_SECONDS}
    return {"backoffLimit": 0}


def _disruptions(work: Work) -> list[Part]:
    """Start the pod again after a disruption, which counts as nothing.

    Only containers of ours can say that they were disrupted: one of the user's would be started for ever.
    """
    disrupted = {"operator": "In", "values": [DISRUPTION_EXIT_CODE]}
    ours = [one["name"] for one in (*work.before, work.main) if one["name"] in names.OURS]
    return [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        *({"action": "Ignore", "onExitCodes": {"containerName": name, **disrupted}} for name in ours),
    ]


def _source_of(run: RunConfig) -> tuple[Part, ...]:
    """Return the volume of a source: its ConfigMap, its claim, or the Secret of its server.

    ConfigMap and Secret may be missing: the Job says so better than a pod that waits.
    """
    if isinstance(run, OfflineRun):
        return ()
    uri = run.data.uri
    if run.data.credentials is not None:
        return ({"name": _SOURCE, "secret": {"secretName": run.data.credentials, "optional": True}},)
    if uri.startswith(_CONFIG_MAP):
        return ({"name": _SOURCE, "configMap": {"name": _name_in(uri, _CONFIG_MAP), "optional": True}},)
    if uri.startswith(_CLAIM):
        return ({"name": _SOURCE, "persistentVolumeClaim": {"claimName": _name_in(uri, _CLAIM), "readOnly": True}},)
    return ()


def _name_in(uri: str, scheme: str) -> str:
    return uri.removeprefix(scheme).partition("/")[0]
