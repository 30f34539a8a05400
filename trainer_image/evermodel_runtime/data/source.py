"""Fetch the bytes of the source, and refuse bytes that are not the declared ones."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

from evermodel.contract import DataSource, FailureReason
from evermodel_runtime.data.bundled import NoSuchBundledDataError, bundled_csv
from evermodel_runtime.data.failure import JobError, listed, spec_error


class DatasetStore(Protocol):
    """Where uploaded files are."""

    def dataset(self, name: str) -> bytes | None:
        """Return an uploaded file, or None when there is none of that name."""
        ...


def read_source(source: DataSource, *, datasets: DatasetStore, mount: Path) -> tuple[bytes, str]:
    """Return the file and its sha256.

    Parameters
    ----------
    source : DataSource
        What is declared.
    datasets : DatasetStore
        Serves ``hub://`` sources.
    mount : Path
        Folder at which the ConfigMap of a ``configmap://`` source is mounted.
    """
    content = _fetch(source.uri, datasets, mount)
    digest = hashlib.sha256(content).hexdigest()
    if source.sha256 is not None and digest != source.sha256:
        raise JobError(
            FailureReason.DIGEST_MISMATCH,
            f"{source.uri} is not the declared file: its sha256 is {digest}, spec.data.train.sha256 is "
            f"{source.sha256}. Correct the digest if the new file is meant, or restore the old file.",
        )
    return content, digest


def _fetch(uri: str, datasets: DatasetStore, mount: Path) -> bytes:
    parts = urlsplit(uri)
    match parts.scheme:
        case "configmap":
            return _mounted(parts.netloc, parts.path.removeprefix("/"), mount)
        case "hub":
            return _uploaded(parts.netloc, datasets)
        case "sklearn":
            return _bundled(parts.netloc, parse_qs(parts.query).get("rows", [":"])[0])
    raise spec_error(f"spec.data.train.uri: {uri} is none of configmap://NAME/KEY, hub://NAME, sklearn://NAME.")


def _bundled(name: str, rows: str) -> bytes:
    try:
        return bundled_csv(name, rows)
    except NoSuchBundledDataError as error:
        raise JobError(FailureReason.DATA_NOT_FOUND, f"spec.data.train.uri: {error}") from error


def _mounted(name: str, key: str, mount: Path) -> bytes:
    keys = sorted(entry.name for entry in mount.iterdir() if not entry.name.startswith("..")) if mount.is_dir() else []
    if not keys:
        raise JobError(
            FailureReason.DATA_NOT_FOUND,
            f"configmap://{name}/{key}: there is no ConfigMap {name} in the namespace, or it is empty. "
            f"Create it: kubectl create configmap {name} --from-file={key}",
        )
    if key not in keys:
        raise JobError(
            FailureReason.DATA_NOT_FOUND,
            f"configmap://{name}/{key}: the ConfigMap {name} has no key {key}; it has {listed(keys)}.",
        )
    return (mount / key).read_bytes()


def _uploaded(name: str, datasets: DatasetStore) -> bytes:
    content = datasets.dataset(name)
    if content is None:
        raise JobError(
            FailureReason.DATA_NOT_FOUND,
            f"hub://{name}: no file of that name was uploaded to the hub of this namespace.",
        )
    return content
