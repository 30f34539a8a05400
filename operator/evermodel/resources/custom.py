"""The pod in which a container of the user's own makes the model, between two of ours.

Kubernetes runs them one after the other: ``prepare`` writes the rows to learn from, the user's container reads them and
writes a model, and the main container checks and publishes it. The user's container mounts neither the source nor what
is told past it, has no token, and so never sees a held-out row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from evermodel.api.container import Container
from evermodel.contract import INPUT_ENV, INPUT_MOUNT, OUTPUT_ENV, OUTPUT_MOUNT, STATE_MOUNT
from evermodel.core import names
from evermodel.resources.pods import RESTRICTED, TMP_MOUNT, Part, Work, chosen_resources, chosen_variables

_INPUT: Final = "input"
_OUTPUT: Final = "output"
_STATE: Final = "state"
_SCRATCH: Final = "trainer-tmp"
_LARGEST_OUTPUT: Final = "2Gi"
"""What the user's container may write for us; the node ends the pod for more."""

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
        {"name": _SCRATCH, "emptyDir": {}},
    )
    return Work(main=publish, before=(prepare, _trainer(declared, image, requests)), volumes=volumes)


def _trainer(declared: Container, image: str, requests: dict[str, str]) -> Part:
    """Return the user's container; the last lines of its log tell why it failed, where it leaves no other message."""
    home = [] if any(one.name == "HOME" for one in declared.env) else [{"name": "HOME", "value": TMP_MOUNT}]
    folders = [
        {"name": INPUT_ENV, "value": INPUT_MOUNT},
        {"name": OUTPUT_ENV, "value": OUTPUT_MOUNT},
    ]
    run = {"command": list(declared.command), "args": list(declared.args)}
    return {
        "name": names.TRAINER_CONTAINER,
        "image": declared.image or image,
        **{field: words for field, words in run.items() if words},
        "env": [*home, *chosen_variables(declared.env), *folders],
        "resources": chosen_resources(declared.resources, requests),
        "securityContext": RESTRICTED,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            _mount(_SCRATCH, TMP_MOUNT),
            _mount(_INPUT, INPUT_MOUNT, read_only=True),
            _mount(_OUTPUT, OUTPUT_MOUNT),
        ],
    }


def _mount(volume: str, path: str, *, read_only: bool = False) -> Part:
    mount: Part = {"name": volume, "mountPath": path}
    return mount | {"readOnly": True} if read_only else mount
