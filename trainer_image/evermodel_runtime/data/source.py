"""Fetch the source, refuse bytes that are not the declared ones, and read them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

from evermodel.contract import Column, ColumnKind, DataSource, FailureReason
from evermodel_runtime.data.bundled import NoSuchBundledDataError, bundled_csv
from evermodel_runtime.data.claim import claimed_files
from evermodel_runtime.data.download import WEB, Web, download
from evermodel_runtime.data.failure import JobError, listed, spec_error
from evermodel_runtime.data.folder import read_folder
from evermodel_runtime.data.formats import read_table
from evermodel_runtime.data.memory import Memory, hand_back
from evermodel_runtime.data.table import Table


class DatasetStore(Protocol):
    """Where uploaded files are."""

    def dataset(self, name: str, admit: Callable[[int], None]) -> bytes | None:
        """Return an uploaded file, or None when there is none of that name; ``admit`` may refuse its size before."""
        ...


def read_data(
    source: DataSource, *, datasets: DatasetStore, mount: Path, columns: Sequence[Column] = (), web: Web = WEB
) -> tuple[Table, str]:
    """Read the file, whatever its format, or the files of a folder.

    Parameters
    ----------
    source : DataSource
        What is declared.
    datasets : DatasetStore
        Serves ``hub://`` sources.
    mount : Path
        Folder of the source's ConfigMap or claim, or of the Secret of an ``https://`` source.
    columns : sequence of Column, optional
        What models take: read besides the declared columns, and as text where it is text to them.
    web : Web, optional
        What is between this process and the server of an ``https://`` source.

    Returns
    -------
    tuple
        The columns, and the sha256 of the file or folder.
    """
    memory = Memory.of_this_process()
    spelled = {source.target} | ({source.id_column} if source.id_column is not None else set())
    only = {*source.features, *spelled, *(column.name for column in columns)} if source.features else None
    texts = {*spelled, *(column.name for column in columns if column.kind is not ColumnKind.NUMBER)}
    if source.uri.startswith("pvc://"):
        files = claimed_files(source.uri, mount)
        if files[0].path:
            found = read_folder(files, source.uri, source.format, texts=texts, only=only, memory=memory)
            check_digest(source, found[1])
            hand_back()
            return found
    content, digest = read_source(source, datasets=datasets, mount=mount, memory=memory, web=web)
    table = read_table(content, source.uri, source.format, texts=texts, only=only, memory=memory)
    del content
    hand_back()
    return table, digest


def read_source(
    source: DataSource, *, datasets: DatasetStore, mount: Path, memory: Memory | None = None, web: Web = WEB
) -> tuple[bytes, str]:
    """Return the file's bytes and their sha256.

    Parameters
    ----------
    source : DataSource
        What is declared.
    datasets : DatasetStore
        Serves ``hub://`` sources.
    mount : Path
        Folder of the source's ConfigMap or claim, or of the Secret of an ``https://`` source.
    memory : Memory, optional
        Refuses a file that would not fit, before it is fetched.
    web : Web, optional
        What is between this process and the server of an ``https://`` source.
    """
    content = _fetch(source, datasets, mount, memory or Memory.of_this_process(), web)
    digest = hashlib.sha256(content).hexdigest()
    check_digest(source, digest)
    return content, digest


def check_digest(source: DataSource, digest: str) -> None:
    """Refuse what is not the declared file or folder."""
    if source.sha256 is not None and digest != source.sha256:
        raise JobError(
            FailureReason.DIGEST_MISMATCH,
            f"{source.uri} is not the declared file: its sha256 is {digest}, spec.data.train.sha256 is "
            f"{source.sha256}. Correct the digest if the new file is meant, or restore the old file.",
        )


def _fetch(source: DataSource, datasets: DatasetStore, mount: Path, memory: Memory, web: Web) -> bytes:
    parts = urlsplit(source.uri)
    match parts.scheme:
        case "configmap":
            return _mounted(parts.netloc, parts.path.removeprefix("/"), mount)
        case "hub":
            return _uploaded(parts.netloc, datasets, memory)
        case "pvc":
            return _claimed(source.uri, mount, memory)
        case "sklearn":
            return _bundled(parts.netloc, parse_qs(parts.query).get("rows", [":"])[0])
        case "https" | "http":
            return download(source.uri, source.credentials, mount, memory, web)
    raise spec_error(
        f"spec.data.train.uri: {source.uri} is none of configmap://NAME/KEY, hub://NAME, pvc://CLAIM/PATH, "
        "https://HOST/PATH, sklearn://NAME."
    )


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


def _claimed(uri: str, mount: Path, memory: Memory) -> bytes:
    (file,) = claimed_files(uri, mount)
    memory.check_stored(file.size, uri)
    return file.read()


def _uploaded(name: str, datasets: DatasetStore, memory: Memory) -> bytes:
    content = datasets.dataset(name, lambda size: memory.check_stored(size, f"hub://{name}"))
    if content is None:
        raise JobError(
            FailureReason.DATA_NOT_FOUND,
            f"hub://{name}: no file of that name was uploaded to the hub of this namespace.",
        )
    return content
