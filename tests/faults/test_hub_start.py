"""A hub that cannot do its work ends and says why."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

from tests.faults.hub_process import KEY, ROOT, HubProcess, free_port

from evermodel_runtime.hub.volume import DATABASE


def run(data: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a hub that is to end by itself."""
    path = os.pathsep.join([str(ROOT / "operator"), str(ROOT / "trainer_image")])
    given = {
        "EVERMODEL_HUB_KEY": KEY,
        "EVERMODEL_HUB_DATA": str(data),
        "EVERMODEL_HUB_PORT": str(free_port()),
        **environ,
    }
    return subprocess.run(
        [sys.executable, "-m", "evermodel_runtime.hub"],
        env={**os.environ, "PYTHONPATH": path, **given},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_without_its_key(tmp_path: Path) -> None:
    ended = run(tmp_path, EVERMODEL_HUB_KEY="")
    assert ended.returncode == 1
    assert "EVERMODEL_HUB_KEY is not set" in ended.stderr


def test_on_a_volume_of_a_newer_hub(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / DATABASE)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    ended = run(tmp_path)
    assert ended.returncode != 0
    assert "run a newer image" in ended.stderr


async def test_on_a_volume_that_another_hub_has(tmp_path: Path) -> None:
    with HubProcess(tmp_path) as hub:
        await hub.start()
        ended = run(tmp_path)
        assert hub.terminate() == 0
    assert ended.returncode == 1
    assert "another hub is using" in ended.stderr


async def test_at_a_port_that_is_taken(tmp_path: Path) -> None:
    with HubProcess(tmp_path / "one") as hub:
        await hub.start()
        ended = run(tmp_path / "two", EVERMODEL_HUB_HOST="127.0.0.1", EVERMODEL_HUB_PORT=str(hub.port))
        assert hub.terminate() == 0
    assert ended.returncode != 0
    assert "address already in use" in ended.stderr
