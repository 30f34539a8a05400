"""A serving process computes in one thread, however many processors the node has."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.contract.job_processes import environment

THREADS = (
    "import os, sys; from evermodel_runtime.serve import main; assert main() == 2, 'it has nothing to serve';"
    "import numpy; from threadpoolctl import threadpool_info;"
    "assert threadpool_info(), 'nothing computes in threads';"
    "print(*{one['num_threads'] for one in threadpool_info()})"
)


@pytest.mark.parametrize(
    ("declared", "threads"),
    [
        pytest.param({}, "1", id="one, where nobody says otherwise"),
        pytest.param({"OMP_NUM_THREADS": "2"}, "2", id="as many as serving.template.env says"),
    ],
)
def test_a_serving_process_computes_in_few_threads(declared: dict[str, str], threads: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", THREADS], env=environment() | declared, capture_output=True, text=True, check=True
    )
    assert ended.stdout.split() == [threads]
