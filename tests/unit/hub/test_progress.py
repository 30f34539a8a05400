"""What Jobs are doing, as the hub passes it on."""

from __future__ import annotations

import msgspec
import pytest
from tests.unit.hub.asgi import MODEL, Answer, HubClient

from evermodel.contract import RunProgress
from evermodel.tokens import Role
from evermodel_runtime.hub.progress import KEPT, ProgressBoard


def path(version: int, stage: str = "train") -> str:
    return f"/v1/models/{MODEL}/runs/{version}/{stage}/progress"


async def say(hub: HubClient, version: int, message: str, *, role: Role = Role.TRAINER, stage: str = "train") -> Answer:
    return await hub.request("PUT", path(version, stage), msgspec.json.encode({"message": message}), role=role)


async def test_the_operator_hears_the_newest_word_of_a_job(hub: HubClient) -> None:
    assert (await hub.request("GET", path(3))).status == 404
    for message in ("epoch 1 of 60", "epoch 2 of 60"):
        assert (await say(hub, 3, message)).status == 200

    heard = await hub.request("GET", path(3))

    assert msgspec.json.decode(heard.body, type=RunProgress) == RunProgress(message="epoch 2 of 60")
    assert (await hub.request("GET", path(2))).status == 404
    assert (await hub.request("GET", path(3, "evaluate"))).status == 404


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        pytest.param({"message": "x" * 201}, 400, id="a long story"),
        pytest.param({"role": Role.SERVER}, 403, id="a serving pod"),
        pytest.param({"stage": "dance"}, 404, id="another stage"),
    ],
)
async def test_refuses(hub: HubClient, changes: dict[str, str], status: int) -> None:
    answer = await say(hub, **{"version": 3, "message": "epoch 1", **changes})  # type: ignore[arg-type]  # of a table
    assert answer.status == status


async def test_a_serving_pod_does_not_hear_it(hub: HubClient) -> None:
    await say(hub, 3, "epoch 1")
    assert (await hub.request("GET", path(3), role=Role.SERVER)).status == 403


def test_the_board_forgets_the_model_that_was_silent_for_longest() -> None:
    board = ProgressBoard()
    for number in range(KEPT):
        board.put(f"model-{number}", 1, "train", RunProgress(message="epoch 1"))
    board.put("model-0", 1, "train", RunProgress(message="epoch 2"))
    board.put("another", 1, "train", RunProgress(message="epoch 1"))

    assert board.get("model-0", 1, "train") == RunProgress(message="epoch 2")
    assert board.get("model-1", 1, "train") is None
    assert board.get("another", 1, "train") is not None
