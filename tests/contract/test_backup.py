"""A pod that serves while the hub's volume is lost and restored."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys

from tests.contract.test_serving import SOURCES, Site, site, until
from tests.unit.serve.made_models import numeric

__all__ = ["site"]  # the fixture


def run(site: Site, command: str, target: str) -> None:
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": SOURCES} | site.hub.environment
    subprocess.run([sys.executable, "-m", "evermodel_runtime", command, target], env=environ, check=True, timeout=60)


async def predicted(site: Site, count: int) -> bool:
    return (await site.quality()).predictions == count


async def test_a_pod_that_serves_from_before_needs_nothing_after_the_hub_was_restored(site: Site) -> None:
    await site.start_hub()
    made = numeric()
    await site.publish(made)
    pod = await site.ready_pod(made, capture=True)
    first, second, third = [await site.predict(pod) for _ in range(3)]
    await until(lambda: predicted(site, 3))
    await site.post(pod, "feedback", {"labels": [{"id": first, "label": 1}]})
    await asyncio.to_thread(run, site, "hub-backup", str(site.folder))
    await site.post(pod, "feedback", {"labels": [{"id": second, "label": 1}]})
    fourth = await site.predict(pod)
    await until(lambda: predicted(site, 4))

    site.hub.kill()
    (backup,) = site.folder.glob("hub-*.tar")
    shutil.rmtree(site.folder / "hub")
    await asyncio.to_thread(run, site, "hub-restore", str(backup))
    site.hub.log.write_text("")
    await site.start_hub()

    labels = [{"id": issued, "label": 1} for issued in (first, second, third, fourth)]
    status, answer = await site.post(pod, "feedback", {"labels": labels})
    assert status == 200, answer
    # The second label came after the backup: sent again, it counts.
    assert [row["status"] for row in answer["results"]] == ["Duplicate", "Accepted", "Accepted", "Accepted"]
    await until(lambda: predicted(site, 4))
    assert (await site.quality()).labels == 4
    another = await site.ready_pod(made)
    await site.predict(another)
    await until(lambda: predicted(site, 5))
