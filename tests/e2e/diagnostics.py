"""What is kept of a failed test in build/e2e: objects, Events and logs of its namespaces, and the operator's log."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tests.demo.clusters import SYSTEM
from tests.demo.commands import Kubectl
from tests.demo.errors import DemoError

from evermodel.core.names import APP_NAME_LABEL

_ALL: Final = "modeldeployments,modelversions,all,persistentvolumeclaims"  # no Secrets: these files are passed around
_LOGS: Final = ("logs", "--selector", f"{APP_NAME_LABEL}=evermodel", "--prefix", "--tail=-1", "--max-log-requests=100")
_OF_THE_OPERATOR: Final = {
    "operator.log": ("-n", SYSTEM, *_LOGS),
    "operator-pods.txt": ("-n", SYSTEM, "describe", "pods"),
    "nodes.txt": ("describe", "nodes"),
}
_OF_A_NAMESPACE: Final = {
    "objects.txt": ("get", _ALL, "-o", "wide"),
    "objects.yaml": ("get", _ALL, "-o", "yaml"),
    "events.txt": ("get", "events", "--sort-by=.lastTimestamp"),
    "pods.log": _LOGS,
    "pods-before-restart.log": (*_LOGS, "--previous"),
}


def collect(kubectl: Kubectl, namespaces: Iterable[str], folder: Path) -> None:
    """Write everything that may explain a failure."""
    commands = dict(_OF_THE_OPERATOR)
    for name in namespaces:
        commands |= {f"{name}-{file}": ("-n", name, *command) for file, command in _OF_A_NAMESPACE.items()}
    folder.mkdir(parents=True, exist_ok=True)
    for file, command in commands.items():
        Path(folder, file).write_text(asyncio.run(_said(kubectl, command)), encoding="utf-8")


async def _said(kubectl: Kubectl, command: tuple[str, ...]) -> str:
    try:
        return await kubectl(*command)
    except DemoError as error:  # what could not be had is said in its place
        return f"{error}\n"
