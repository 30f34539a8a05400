"""A served model that learns on from labels between whole runs, with real Jobs, while requests are answered."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
import itertools
from collections.abc import AsyncIterator

from tests.demo.stages import Snapshot, Version
from tests.e2e import manifests
from tests.e2e.namespaces import PATIENCE, Namespace

from evermodel.api.conditions import Reason
from evermodel.api.modelversion import VersionPhase
from evermodel_client import AsyncClient
from evermodel_runtime.data.bundled import bundled_csv

NAME = "keeps-learning"
ROWS_OF_SOURCE = 400
MIN_RECORDS = 50
AT_ONCE = 10
PAUSE = 0.2
"""Seconds between requests: some 50 labels a second, so that what is due starts on more than what was asked for."""


async def test_a_served_model_learns_on_from_the_labels_that_came_since_and_goes_through_the_gate(
    namespace: Namespace,
) -> None:
    await namespace.apply(keeps_learning())
    first = (await namespace.becomes_ready(NAME)).versions[0]

    async with labelled_predictions(await namespace.address(NAME)):
        seen = await namespace.until(NAME, an_update_was_judged, within=2 * PATIENCE)  # two Jobs, and a look at each

    update = second(seen)
    assert update.spec.trigger.reason == Reason.ONLINE_UPDATE
    assert update.status.started_from == first.status.manifest
    assert update.status.window == "new"
    assert (update.status.rows or 0) >= MIN_RECORDS
    assert update.status.rows == update.status.feedback_rows, "records alone, and not the source beside them"


def keeps_learning() -> dict[str, object]:
    """Return a model that learns on as soon as there is something to learn."""
    return manifests.model(
        NAME,
        uri=f"sklearn://breast_cancer?rows=0:{ROWS_OF_SOURCE}",
        threshold=0.85,
        training={
            "estimator": "SGDClassifier",
            "parameters": {"loss": "log_loss", "learning_rate": "constant", "eta0": 0.01},
        },
        monitoring={"minSamples": 100},
        retraining={
            "data": {"includeFeedback": True},
            "online": {"minRecords": MIN_RECORDS, "minInterval": "1s"},
        },
    )


def an_update_was_judged(snapshot: Snapshot) -> bool:
    """Version 2 was promoted, or refused by the gate."""
    judged = {VersionPhase.CHAMPION, VersionPhase.ARCHIVED, VersionPhase.REJECTED, VersionPhase.FAILED}
    return len(snapshot.versions) > 1 and second(snapshot).status.phase in judged


def second(snapshot: Snapshot) -> Version:
    """Return the version after the first."""
    return next(version for version in snapshot.versions if version.spec.number == 2)


@contextlib.asynccontextmanager
async def labelled_predictions(url: str) -> AsyncIterator[None]:
    """Predict rows that no training saw, and tell their labels, while the context is open; any failure ends it."""
    async with AsyncClient(url, NAME) as model, asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(_ask(model))
        try:
            yield
        finally:
            asking.cancel()


async def _ask(model: AsyncClient) -> None:
    rows = list(csv.DictReader(io.StringIO(bundled_csv("breast_cancer", f"{ROWS_OF_SOURCE}:").decode())))
    for turn in itertools.count():
        for start in range(0, len(rows) - AT_ONCE, AT_ONCE):
            batch = rows[start : start + AT_ONCE]
            predictions = await model.predict([_measured(row, turn) for row in batch])
            told = await model.feedback({one.id: row["target"] for one, row in zip(predictions, batch, strict=True)})
            assert told.recorded == len(batch)
            await asyncio.sleep(PAUSE)


def _measured(row: dict[str, str], turn: int) -> dict[str, float]:
    """Return the inputs of a row, a little larger each time: equal rows would be copies, of which one counts."""
    return {name: float(value) * (1 + turn / 1000) for name, value in row.items() if name != "target"}
