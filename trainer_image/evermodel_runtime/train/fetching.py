"""Fetch a model that was made elsewhere, and refuse bytes that are not the declared ones."""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import urlsplit

from evermodel.contract import FailureReason
from evermodel_runtime.artifacts.job import Surroundings
from evermodel_runtime.data.download import download
from evermodel_runtime.data.failure import JobError
from evermodel_runtime.data.memory import Memory


def fetch_model(uri: str, sha256: str | None, surroundings: Surroundings, place: str) -> bytes:
    """Return the file at a hub:// or https:// address; ``place`` is the field that names it.

    Raises
    ------
    JobError
        DataNotFound, DigestMismatch, or what the download says.
    """
    content = _fetched(uri, surroundings, place)
    digest = hashlib.sha256(content).hexdigest()
    if digest != sha256:
        raise JobError(
            FailureReason.DIGEST_MISMATCH,
            f"{place}: {uri} is not the declared file: its sha256 is {digest}, and {sha256} is declared. Correct the "
            "digest if the new file is meant, or restore the old file.",
        )
    return content


def _fetched(uri: str, surroundings: Surroundings, place: str) -> bytes:
    memory = Memory.of_this_process()
    if urlsplit(uri).scheme == "https":
        try:
            return download(uri, None, Path(), memory)
        except JobError as error:
            raise JobError(error.reason, error.message.replace("spec.data.train.uri", place)) from error
    name = uri.removeprefix("hub://")
    content = surroundings.hub.dataset(name, lambda size: memory.check_stored(size, uri))
    if content is None:
        raise JobError(
            FailureReason.DATA_NOT_FOUND, f"{place}: no file {name} was uploaded to the hub of this namespace."
        )
    return content
