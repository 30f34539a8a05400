from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from tests.unit.hub.asgi import MODEL, HubClient, running_hub

from evermodel.tokens import ANY_MODEL, Role

CONTENT = b"weights" * 100_000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def pieces(content: bytes, size: int = 65536) -> list[bytes]:
    return [content[start : start + size] for start in range(0, len(content), size)]


async def test_a_blob_comes_back_as_it_was_put(hub: HubClient) -> None:
    path = f"/v1/blobs/{DIGEST}"
    assert (await hub.request("HEAD", path, role=Role.SERVER)).status == 404
    assert (await hub.request("PUT", path, pieces(CONTENT), role=Role.TRAINER)).status == 201
    assert (await hub.request("PUT", path, pieces(CONTENT), role=Role.TRAINER)).status == 200
    got = await hub.request("GET", path, role=Role.SERVER)
    assert (got.status, got.body == CONTENT) == (200, True)
    head = await hub.request("HEAD", path, role=Role.SERVER)
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(CONTENT)))


async def test_bytes_other_than_promised_are_not_kept(hub: HubClient) -> None:
    path = f"/v1/blobs/{DIGEST}"
    answer = await hub.request("PUT", path, pieces(CONTENT + b"!"), role=Role.TRAINER)
    assert answer.status == 422
    assert "nothing was kept" in answer.error
    assert (await hub.request("GET", path, role=Role.SERVER)).status == 404


async def test_an_upload_that_breaks_off_leaves_nothing(hub: HubClient, tmp_path: Path) -> None:
    sent: list[object] = []
    messages = [{"type": "http.request", "body": b"half", "more_body": True}, {"type": "http.disconnect"}]

    async def receive() -> object:
        return messages.pop(0)

    async def send(message: object) -> None:
        sent.append(message)

    headers = (await upload_headers(hub)).items()
    scope = {
        "type": "http",
        "method": "PUT",
        "path": f"/v1/blobs/{DIGEST}",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers],
    }
    await hub.app(scope, receive, send)  # type: ignore[arg-type] # plain messages
    assert sent == []
    assert list((tmp_path / "blobs" / "incoming").iterdir()) == []


async def upload_headers(hub: HubClient) -> dict[str, str]:
    token = hub.hub.access._token("digits", Role.TRAINER).decode()
    return {"authorization": f"Bearer {token}", "x-evermodel-model": "digits"}


async def test_what_an_earlier_process_left_unfinished_is_removed(tmp_path: Path) -> None:
    async with running_hub(tmp_path):
        (tmp_path / "blobs" / "incoming" / "left").write_bytes(b"half")
    async with running_hub(tmp_path):
        assert list((tmp_path / "blobs" / "incoming").iterdir()) == []


async def test_a_blob_has_a_limit(tmp_path: Path) -> None:
    async with running_hub(tmp_path, max_blob_bytes=1000) as hub:
        path = f"/v1/blobs/{DIGEST}"
        assert (await hub.request("PUT", path, pieces(CONTENT), role=Role.TRAINER)).status == 413
        declared = {"content-length": "1001"}
        assert (await hub.request("PUT", path, b"", role=Role.TRAINER, headers=declared)).status == 413


@pytest.mark.parametrize("digest", ["short", "A" * 64, "..%2f..%2fetc", "z" * 64])
async def test_only_a_digest_names_a_blob(hub: HubClient, digest: str) -> None:
    assert (await hub.request("GET", f"/v1/blobs/{digest}", role=Role.SERVER)).status == 400


async def test_a_dataset_is_a_name_for_its_latest_bytes(hub: HubClient) -> None:
    path = "/v1/datasets/digits.csv"
    assert (await hub.request("GET", path, role=Role.TRAINER)).status == 404
    for content in (b"a,b\n1,2\n", CONTENT):
        digest = hashlib.sha256(content).hexdigest()
        put = await hub.request("PUT", path, pieces(content), role=Role.UPLOADER, model=ANY_MODEL)
        assert put.status == 200
        assert json.loads(put.body) == {"name": "digits.csv", "sha256": digest, "size": len(content)}
        got = await hub.request("GET", path, role=Role.TRAINER)
        assert got.body == content
        assert got.headers["x-evermodel-sha256"] == digest
    head = await hub.request("HEAD", path, role=Role.TRAINER)
    assert (head.body, head.headers["x-evermodel-sha256"]) == (b"", DIGEST)


async def test_the_operator_learns_what_a_dataset_is_without_its_bytes(hub: HubClient) -> None:
    path = f"/v1/models/{MODEL}/datasets/digits.csv"
    assert (await hub.request("GET", path, role=Role.OPERATOR)).status == 404
    for content in (b"a,b\n1,2\n", CONTENT):
        await hub.request("PUT", "/v1/datasets/digits.csv", content, role=Role.UPLOADER, model=ANY_MODEL)
        answer = await hub.request("GET", path, role=Role.OPERATOR)
        assert json.loads(answer.body)["sha256"] == hashlib.sha256(content).hexdigest()
    assert (await hub.request("GET", path, role=Role.TRAINER)).status == 403


async def test_an_empty_dataset_is_a_dataset(hub: HubClient) -> None:
    assert (await hub.request("PUT", "/v1/datasets/none", role=Role.UPLOADER, model=ANY_MODEL)).status == 200
    assert (await hub.request("GET", "/v1/datasets/none", role=Role.TRAINER)).body == b""


@pytest.mark.parametrize("name", ["..", ".hidden", "a b", "x" * 129])
async def test_a_dataset_has_a_plain_name(hub: HubClient, name: str) -> None:
    answer = await hub.request("PUT", f"/v1/datasets/{name}", b"x", role=Role.UPLOADER, model=ANY_MODEL)
    assert answer.status == 400
