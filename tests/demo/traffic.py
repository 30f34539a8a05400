"""Clients of a served model: they predict at a steady rate and send the true labels a moment later."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus

import aiohttp

Photograph = Callable[[], tuple[list[float], int]]


@dataclass(slots=True)
class Tally:
    """What the clients saw since the start."""

    predictions: int = 0
    labels: int = 0
    failures: list[str] = field(default_factory=list)
    outcomes: list[tuple[float, str, bool]] = field(default_factory=list)
    """(monotonic seconds, version that answered, was it right), in the order of the answers."""

    def accuracy(self, *, version: str, last: int) -> tuple[float, int]:
        """Accuracy that the clients saw over the newest ``last`` answers of a version, and how many they are."""
        right = [correct for _, answered_by, correct in self.outcomes if answered_by == version][-last:]
        return (sum(right) / len(right) if right else float("nan")), len(right)


@dataclass(slots=True, kw_only=True)
class Clients:
    """Send ``rate`` predictions a second and a label for each, until cancelled.

    A request counts as failed on any answer that is not 200 and on any error of the connection. Nothing is sent twice.
    """

    url: str
    model: str
    photograph: Photograph
    rate: float
    label_every: float = 0.2
    tally: Tally = field(default_factory=Tally)
    _pending: list[dict[str, str | int]] = field(default_factory=list)

    async def run(self) -> None:
        """Predict and label until cancelled."""
        timeout = aiohttp.ClientTimeout(total=10)
        async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as tasks:
            tasks.create_task(self._label_for_ever(session))
            started, sent = time.monotonic(), 0
            while True:
                due = int((time.monotonic() - started) * self.rate) - sent
                for _ in range(due):
                    tasks.create_task(self._predict(session))
                sent += due
                await asyncio.sleep(min(0.02, 1 / self.rate))

    async def _predict(self, session: aiohttp.ClientSession) -> None:
        pixels, digit = self.photograph()
        body = {"inputs": [{"name": "image", "datatype": "FP64", "shape": [1, len(pixels)], "data": pixels}]}
        answer = await self._post(session, f"{self.url}/v2/models/{self.model}/infer", body)
        if answer is None:
            return
        predicted = next(output for output in answer["outputs"] if output["name"] == "label")["data"][0]
        self.tally.predictions += 1
        self.tally.outcomes.append((time.monotonic(), answer["model_version"], predicted == digit))
        self._pending.append({"id": answer["parameters"]["prediction_ids"][0], "label": digit})

    async def _label_for_ever(self, session: aiohttp.ClientSession) -> None:
        while True:
            await asyncio.sleep(self.label_every)
            rows, self._pending = self._pending, []
            if rows:
                url = f"{self.url}/v2/models/{self.model}/feedback"
                answer = await self._post(session, url, {"labels": rows})
                if answer is not None:
                    self.tally.labels += answer["accepted"]

    async def _post(self, session: aiohttp.ClientSession, url: str, body: object) -> dict | None:  # type: ignore[type-arg]
        try:
            async with session.post(url, json=body) as answer:
                if answer.status == HTTPStatus.OK:
                    decoded: dict = await answer.json()  # type: ignore[type-arg]
                    return decoded
                self.tally.failures.append(f"{answer.status} {(await answer.text())[:200]}")
        except (aiohttp.ClientError, TimeoutError) as error:
            self.tally.failures.append(f"{type(error).__name__}: {error}")
        return None
