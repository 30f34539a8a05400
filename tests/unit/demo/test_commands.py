"""Programs that the demo runs: their answers and their failures, as a person reads them."""

import asyncio
import sys

import pytest
from tests.demo.commands import Kubectl, output
from tests.demo.errors import DemoError

ECHO = "import os, sys; print(os.environ['KUBECONFIG'], sys.argv[1:], sys.stdin.read())"


async def test_kubectl_is_run_with_its_cluster_and_its_input() -> None:
    kubectl = Kubectl(program=(sys.executable, "-c", ECHO), kubeconfig="/there")
    assert await kubectl("apply", "-f", "-", given="{}") == "/there ['apply', '-f', '-'] {}\n"


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        pytest.param(("no-such-program", "get"), "no-such-program is not installed", id="not installed"),
        pytest.param(("sh", "-c", "echo not found >&2; exit 1"), "failed: not found", id="failed, with its own words"),
        pytest.param(("sh", "-c", "exit 3"), "failed", id="failed without a word"),
    ],
)
async def test_a_failure_names_the_command_and_the_cause(argv: tuple[str, ...], says: str) -> None:
    with pytest.raises(DemoError, match=says) as raised:
        await output(*argv, within=60, errors=asyncio.subprocess.PIPE)
    assert argv[-1] in str(raised.value)


async def test_a_program_that_does_not_end_is_ended() -> None:
    with pytest.raises(DemoError, match="did not end within 0 s"):
        await output("sleep", "600", within=0.05)
