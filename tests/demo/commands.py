"""Programs that the demo runs: each within a time, and each failure with the program's own words."""

from __future__ import annotations

import asyncio
import os
import shlex
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.demo.errors import DemoError


async def output(
    *argv: str | Path, within: float, given: str = "", env: Mapping[str, str] | None = None, errors: int | None = None
) -> str:
    """Run a program to its end and return what it printed.

    Parameters
    ----------
    within : float
        Seconds after which it is ended.
    given : str
        Its standard input.
    env : mapping
        Its environment; None: this process's own.
    errors : int
        Where its standard error goes; None: to the terminal.
    """
    command = shlex.join(map(str, argv))
    try:
        process = await asyncio.create_subprocess_exec(*argv, stdin=PIPE, stdout=PIPE, stderr=errors, env=env)
    except FileNotFoundError:
        raise DemoError(f"{argv[0]} is not installed, and is needed for `{command}`") from None
    try:
        async with asyncio.timeout(within):
            out, complaint = await process.communicate(given.encode())
    except TimeoutError:
        raise DemoError(f"`{command}` did not end within {within:.0f} s") from None
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    if process.returncode != 0:
        raise DemoError(f"`{command}` failed{': ' + complaint.decode().strip() if complaint else ''}")
    return out.decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubectl:
    """kubectl for one cluster."""

    program: tuple[str | Path, ...]
    kubeconfig: str

    async def __call__(self, *arguments: str | Path, given: str = "", within: float = 30) -> str:
        """Run one command and return what it printed."""
        env = os.environ | {"KUBECONFIG": self.kubeconfig}
        return await output(*self.program, *arguments, within=within, given=given, env=env, errors=PIPE)
