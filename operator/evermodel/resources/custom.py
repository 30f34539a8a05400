"""Pods in which containers of the user's own work between two of ours.

Kubernetes runs them one after the other. In training, ``prepare`` writes the rows to learn from, the user's container
reads them and writes a model, and the main container checks and publishes it. In an evaluation with custom metrics,
``prepare`` writes truth and predictions, a container for each metric reads them and writes its numbers, and the main
container checks those and reports. The user's containers mount neither the source nor what is told past them, nor each
other's folders, and have no token: no one that makes a model ever sees a held-out row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from evermodel.api.container import Container
from evermodel.api.evaluation import CustomMetric
from evermodel.contract import INPUT_ENV, INPUT_MOUNT, METRICS_MOUNT, OUTPUT_ENV, OUTPUT_MOUNT, STATE_MOUNT
from evermodel.core import names
from evermodel.resources.pods import RESTRICTED, TMP_MOUNT, Part, Work, chosen_resources, chosen_variables

_INPUT: Final = "input"
_OUTPUT: Final = "output"
_STATE: Final = "state"
_LARGEST_OUTPUT: Final = "2Gi"
"""What the user's container may write for us; the node ends the pod for more."""
_LARGEST_NUMBERS: Final = "16Mi"
"""The same of a container that measures."""

Ours = Callable[..., Part]
"""Makes a container of ours of a name, a command and mounts."""


def custom_training(
    declared: Container, ours: Ours, source: tuple[Part, ...], *, image: str, requests: dict[str, str]
) -> Work:
    """Return the containers and volumes of the pod.

    Parameters
    ----------
    declared : Container
        What the user wrote.
    ours : callable
        Makes containers of ours.
    source : tuple of dict
        Mounts of the source, for the container that reads it.
    image : str
        Runtime image, which the user's container has unless it names one.
    requests : dict
        Compute resources that are set aside for it where the user names none.
    """
    prepare = ours(
        name=names.PREPARE_CONTAINER,
        command="prepare",
        mounts=(*source, _mount(_INPUT, INPUT_MOUNT), _mount(_STATE, STATE_MOUNT)),
    )
    publish = ours(
        command="publish",
        mounts=(_mount(_OUTPUT, OUTPUT_MOUNT, read_only=True), _mount(_STATE, STATE_MOUNT, read_only=True)),
    )
    volumes = (
        {"name": _INPUT, "emptyDir": {}},
        {"name": _OUTPUT, "emptyDir": {"sizeLimit": _LARGEST_OUTPUT}},
        {"name": _STATE, "emptyDir": {}},
        {"name": _scratch(names.TRAINER_CONTAINER), "emptyDir": {}},
    )
    trainer = _theirs(declared, names.TRAINER_CONTAINER, _OUTPUT, image, requests)
    return Work(main=publish, before=(prepare, trainer), volumes=volumes)


def custom_metrics(
    declared: tuple[CustomMetric, ...], ours: Ours, source: tuple[Part, ...], *, image: str, requests: dict[str, str]
) -> Work:
    """Return the containers and volumes of an evaluation with metrics of the user's own; see ``custom_training``."""
    given = {"name": _INPUT, "emptyDir": {}}
    prepare = ours(name=names.PREPARE_CONTAINER, command="predict", mounts=(*source, _mount(_INPUT, INPUT_MOUNT)))
    mounts, before, volumes = [_mount(_INPUT, INPUT_MOUNT, read_only=True)], [prepare], [given]
    for metric in declared:
        name = names.metric_container(metric.name)
        output = f"{name}-output"
        before.append(_theirs(metric, name, output, image, requests))
        mounts.append(_mount(output, f"{METRICS_MOUNT}/{metric.name}", read_only=True))
        volumes.append({"name": output, "emptyDir": {"sizeLimit": _LARGEST_NUMBERS}})
        volumes.append({"name": _scratch(name), "emptyDir": {}})
    main = ours(command="evaluate", mounts=(*source, *mounts))
    return Work(main=main, before=tuple(before), volumes=tuple(volumes))


def _theirs(declared: Container, name: str, output: str, image: str, requests: dict[str, str]) -> Part:
    """Return a container of the user's; the last lines of its log tell why it failed, without another message."""
    home = [] if any(one.name == "HOME" for one in declared.env) else [{"name": "HOME", "value": TMP_MOUNT}]
    folders = [
        {"name": INPUT_ENV, "value": INPUT_MOUNT},
        {"name": OUTPUT_ENV, "value": OUTPUT_MOUNT},
    ]
    run = {"command": list(declared.command), "args": list(declared.args)}
    return {
        "name": name,
        "image": declared.image or image,
        **{field: words for field, words in run.items() if words},
        "env": [*home, *chosen_variables(declared.env), *folders],
        "resources": chosen_resources(declared.resources, requests),
        "securityContext": RESTRICTED,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            _mount(_scratch(name), TMP_MOUNT),
            _mount(_INPUT, INPUT_MOUNT, read_only=True),
            _mount(output, OUTPUT_MOUNT),
        ],
    }


def _scratch(container: str) -> str:
    return f"{container}-tmp"


def _mount(volume: str, path: str, *, read_only: bool = False) -> Part:
    mount: Part = {"name": volume, "mountPath": path}
    return mount | {"readOnly": True} if read_only else mount
