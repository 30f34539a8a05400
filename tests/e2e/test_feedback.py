"""Labels while the hub is killed: what was acknowledged stays, once; predictions go on; the rest is asked for again."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from http import HTTPStatus

import aiohttp
import msgspec
from tests.e2e import manifests, soak
from tests.e2e.figures import Figure
from tests.e2e.installation import Installation
from tests.e2e.load import Load
from tests.e2e.namespaces import Namespace, eventually

from evermodel.contract import FeedbackRequest, FeedbackResponse, FeedbackRow, LabelStatus
from evermodel.kube.kinds import POD
from evermodel.resources.hub import POD as HUB_POD

PER_SECOND = 100
SENDERS = 4
AT_ONCE = 10
LABELS = 300
"""Acknowledged before, between and after the kills."""
KILLS = soak.count(1, soak=5)
_COUNT = """
import sqlite3
hub = sqlite3.connect("/data/hub.sqlite3")
print(*hub.execute("SELECT count(*), count(DISTINCT key) FROM labels").fetchone())
print(*hub.execute("SELECT sum(labels) FROM totals").fetchone())
"""


@dataclass(slots=True, kw_only=True)
class Labellers:
    """Clients that label every prediction of a load, and send again what was not acknowledged."""

    url: str
    load: Load
    acknowledged: Counter[LabelStatus] = field(default_factory=Counter)
    refusals: list[tuple[int, str | None]] = field(default_factory=list)
    """Status and Retry-After of the answers that acknowledged nothing."""

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Labellers]:
        """Label while the context is open."""
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as tasks:
            senders = [tasks.create_task(self._send_for_ever(session)) for _ in range(SENDERS)]
            try:
                yield self
            finally:
                for sender in senders:
                    sender.cancel()

    async def until_acknowledged(self, number: int) -> None:
        """Wait until so many labels are on disk."""

        async def are() -> bool | None:
            return self.acknowledged.total() >= number or None

        await eventually(are, f"{number} labels are acknowledged")

    async def until_refused_more_often_than(self, times: int) -> None:
        """Wait until an answer acknowledges nothing."""

        async def is_refused() -> bool | None:
            return len(self.refusals) > times or None

        await eventually(is_refused, "clients notice that the hub is away")

    async def _send_for_ever(self, session: aiohttp.ClientSession) -> None:
        waiting = self.load.prediction_ids
        while True:
            ids = [waiting.popleft() for _ in range(min(AT_ONCE, len(waiting)))]
            pause = await self._send(session, ids) if ids else 0.05
            await asyncio.sleep(pause)

    async def _send(self, session: aiohttp.ClientSession, ids: list[str]) -> float:
        """Send labels once; returns how long to wait before the next."""
        body = msgspec.json.encode(FeedbackRequest(labels=tuple(FeedbackRow(id=one, label=0) for one in ids)))
        async with session.post(self.url, data=body) as answer:
            content = await answer.read()
        if answer.status == HTTPStatus.OK:
            results = msgspec.json.decode(content, type=FeedbackResponse).results
            self.acknowledged.update(result.status for result in results)
            return 0
        self.refusals.append((answer.status, answer.headers.get("Retry-After")))
        self.load.prediction_ids.extendleft(ids)
        return float(answer.headers.get("Retry-After", 0))


async def test_no_acknowledged_label_is_lost_or_doubled_when_the_hub_is_killed(
    installation: Installation, namespace: Namespace, figure: Figure
) -> None:
    await namespace.apply(manifests.iris())
    await namespace.becomes_ready("iris")
    url = f"{await namespace.address('iris')}/v2/models/iris"

    load = Load(url=f"{url}/infer", bodies=[manifests.IRIS_REQUEST], per_second=PER_SECOND)
    labellers = Labellers(url=f"{url}/feedback", load=load)

    async with labellers.running():
        async with load.running():
            for _ in range(KILLS):
                await labellers.until_acknowledged(labellers.acknowledged.total() + LABELS)
                refused = len(labellers.refusals)
                await installation.kill(await namespace.api.get(POD, namespace.name, HUB_POD))
                await labellers.until_refused_more_often_than(refused)
            await labellers.until_acknowledged(labellers.acknowledged.total() + LABELS)
        await labellers.until_acknowledged(load.answers.total())

    assert load.failures == []
    assert load.answers.total() == load.sent
    assert set(labellers.acknowledged) <= {LabelStatus.ACCEPTED, LabelStatus.DUPLICATE}
    assert {status for status, _ in labellers.refusals} == {HTTPStatus.SERVICE_UNAVAILABLE}
    assert all(retry_after is not None and float(retry_after) > 0 for _, retry_after in labellers.refusals)
    counted = await namespace.kubectl("exec", HUB_POD, "--", "python", "-c", _COUNT)
    assert list(map(int, counted.split())) == [load.sent] * 3, "labels, different predictions, and the sum kept of them"
    figure(f"labels acknowledged over {KILLS} kills of the hub", load.sent)
    figure("requests with labels that were asked for again", len(labellers.refusals))
