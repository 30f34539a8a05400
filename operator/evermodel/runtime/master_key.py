"""The master key from which all tokens derive: mounted from a Secret that the operator makes on the first start.

The operator may create Secrets but never reads one through the API. So it makes the key, and waits until the kubelet
shows it in the mounted folder.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import secrets
from pathlib import Path
from typing import Final

from evermodel.kube.client import KubeClient
from evermodel.kube.errors import AlreadyExists
from evermodel.kube.kinds import SECRET

logger = logging.getLogger(__name__)

SECRET_NAME: Final = "evermodel-master-key"  # noqa: S105 - the name of a Secret
KEY_BYTES: Final = 32
_POLL_SECONDS: Final = 0.5
_LOG_EVERY: Final = 20
"""Polls between two lines of the log."""


class MasterKeyError(Exception):
    """The mounted key cannot be used."""


async def master_key(client: KubeClient, file: Path, namespace: str) -> bytes:
    """Return the key; when it is not mounted yet, make it and wait until it is."""
    key = await asyncio.to_thread(_read, file)
    if key is not None:
        return key
    manifest = {
        "apiVersion": SECRET.api_version,
        "kind": SECRET.name,
        "metadata": {"name": SECRET_NAME},
        "type": "Opaque",
        "immutable": True,
        "data": {file.name: base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()},
    }
    try:
        await client.create(SECRET, namespace, manifest)
        logger.info("the master key was made", extra={"secret": SECRET_NAME, "namespace": namespace})
    except AlreadyExists:
        logger.info("the master key is there", extra={"secret": SECRET_NAME, "namespace": namespace})
    polls = 0
    while (key := await asyncio.to_thread(_read, file)) is None:
        if polls % _LOG_EVERY == 0:
            logger.info("waiting until the kubelet mounts the master key, about a minute", extra={"file": str(file)})
        polls += 1
        await asyncio.sleep(_POLL_SECONDS)
    return key


def _read(file: Path) -> bytes | None:
    try:
        key = file.read_bytes()
    except FileNotFoundError:
        return None
    if len(key) < KEY_BYTES:
        raise MasterKeyError(
            f"{file} has {len(key)} bytes: the key must have {KEY_BYTES} at least; recreate the Secret {SECRET_NAME}"
        )
    return key
