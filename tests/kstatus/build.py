"""What kstatus, the library behind kubectl, Flux and Argo CD, makes of an object's status."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.go_programs import program

HERE = Path(__file__).resolve().parent


def kstatus(objects: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return Current, InProgress, Failed, Terminating or Unknown for each object."""
    return [reading["status"] for reading in readings(objects)]


def readings(objects: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return name, status and message for each object."""
    lines = "\n".join(json.dumps(one) for one in objects)
    done = subprocess.run([program(HERE)], input=lines, check=True, capture_output=True, text=True, timeout=30)
    return [json.loads(line) for line in done.stdout.splitlines()]
