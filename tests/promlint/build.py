"""What promtool's check finds in metrics, by the library that it asks."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.go_programs import program

HERE = Path(__file__).resolve().parent


def problems(metrics: bytes) -> list[str]:
    """Return each problem as "name: what is wrong"; raises where the text cannot be read at all."""
    done = subprocess.run([program(HERE)], input=metrics, check=True, capture_output=True, timeout=30)
    return [f"{found['metric']}: {found['text']}" for found in map(json.loads, done.stdout.splitlines())]
