"""Blobs by digest, and datasets: names for blobs."""

from __future__ import annotations

import re

import msgspec

from evermodel.contract import DatasetInfo
from evermodel_runtime.hub.blobs import DIGEST, TooLarge, WrongDigest
from evermodel_runtime.hub.core import Hub
from evermodel_runtime.hub.http import FileResponse, HttpError, Request, Response
from evermodel_runtime.hub.operations import PointDataset
from evermodel_runtime.hub.reading import read_dataset

_DATASET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_DIGEST_HEADER = b"x-evermodel-sha256"


async def put_blob(hub: Hub, request: Request) -> Response:
    """Keep a body under its digest; one that is there already is left alone."""
    digest = _digest(request)
    there = hub.blobs.size(digest) is not None
    _, size = await _receive(hub, request, digest)
    answer = DatasetInfo(name=digest, sha256=digest, size=size)
    return Response(msgspec.json.encode(answer), 200 if there else 201)


async def get_blob(hub: Hub, request: Request) -> FileResponse:
    """Send a blob."""
    digest = _digest(request)
    size = hub.blobs.size(digest)
    if size is None:
        raise HttpError(404, f"no blob {digest} is stored")
    return _blob(hub, digest, size)


async def put_dataset(hub: Hub, request: Request) -> Response:
    """Keep a body and let the name mean it from now on."""
    name = _name(request)
    digest, size = await _receive(hub, request, None)
    dataset = DatasetInfo(name=name, sha256=digest, size=size)
    await hub.writer.submit(PointDataset(dataset, hub.clock()))
    return Response(msgspec.json.encode(dataset))


async def get_dataset(hub: Hub, request: Request) -> FileResponse:
    """Send what a dataset's name means now."""
    name = _name(request)
    dataset = await hub.reader.ask(lambda connection: read_dataset(connection, name))
    if dataset is None:
        raise HttpError(404, f"no dataset {name} was uploaded: PUT /v1/datasets/{name}")
    return _blob(hub, dataset.sha256, dataset.size)


async def get_dataset_info(hub: Hub, request: Request) -> Response:
    """Answer what a dataset's name means now, without the bytes."""
    name = request.arguments[1]
    dataset = await hub.reader.ask(lambda connection: read_dataset(connection, name))
    if dataset is None:
        raise HttpError(404, f"no dataset {name} was uploaded: PUT /v1/datasets/{name}")
    return Response(msgspec.json.encode(dataset))


async def _receive(hub: Hub, request: Request, expected: str | None) -> tuple[str, int]:
    limit = hub.settings.max_blob_bytes
    too_large = HttpError(413, f"the body is longer than the hub's limit of {limit:,} bytes")
    declared = request.header(b"content-length")
    if declared is not None and declared.isdigit() and int(declared) > limit:
        raise too_large
    try:
        return await hub.blobs.receive(request.pieces(), expected)
    except WrongDigest as error:
        raise HttpError(422, f"the body has sha256 {error.found}, not {expected}: nothing was kept") from error
    except TooLarge as error:
        raise too_large from error


def _blob(hub: Hub, digest: str, size: int) -> FileResponse:
    return FileResponse(hub.blobs.path(digest), size, ((_DIGEST_HEADER, digest.encode()),))


def _digest(request: Request) -> str:
    digest = request.arguments[0]
    if DIGEST.fullmatch(digest) is None:
        raise HttpError(400, f"{digest!r} is no sha256: 64 lower-case hexadecimal characters are expected")
    return digest


def _name(request: Request) -> str:
    name = request.arguments[0]
    if _DATASET_NAME.fullmatch(name) is None:
        raise HttpError(400, f"{name!r} is no dataset name: up to 128 letters, digits, '.', '_' and '-' are")
    return name
