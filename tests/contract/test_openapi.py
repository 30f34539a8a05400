"""A real server answers as its OpenAPI document says: to what the document allows, and to much that it does not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.contract.job_processes import Hub
from tests.contract.serving_pods import ready_pod
from tests.unit.serve.made_models import Made, mixed, numeric

CHECKS = Path(__file__).with_name("openapi_checks.toml")
EXAMPLES = 20
"""For each operation, besides the cases that every bound and type of the document gives rise to."""


@pytest.mark.parametrize("made", [pytest.param(numeric(), id="numbers"), pytest.param(mixed(), id="text and numbers")])
def test_answers_are_as_described_and_what_is_not_allowed_is_refused(hub: Hub, made: Made, tmp_path: Path) -> None:
    with ready_pod(hub, made) as pod:
        command = [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CHECKS), "run", f"{pod.url}/openapi.json"),
            *("--phases", "coverage,fuzzing", "--max-examples", str(EXAMPLES), "--seed", "5", "--warnings", "off"),
        ]
        found = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, cwd=tmp_path)

    assert found.returncode == 0, found.stdout + found.stderr
    assert "27 selected" in found.stdout
