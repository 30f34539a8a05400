"""Image archives made by hand: one layer, no builder needed."""

import hashlib
import io
import json
import platform
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cluster.profiles import scratch_root

CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
INDEX = "application/vnd.oci.image.index.v1+json"
BLOCK = 1 << 20


def architecture() -> str:
    """Return this machine's architecture in the words of images."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def layer_of(files: Mapping[str, Path], links: Mapping[str, str], target: Path) -> None:
    """Write a layer that holds executables and symbolic links, the same bytes for the same content."""
    with tarfile.open(target, "w") as tar:
        for name in sorted({str(parent) for path in [*files, *links] for parent in Path(path).parents} - {"."}):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for name, source in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = source.stat().st_size, 0o755
            with source.open("rb") as content:
                tar.addfile(entry, content)
        for name, destination in links.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, destination
            tar.addfile(entry)


def write_archive(reference: str, layer: Path, target: Path, *, entrypoint: Sequence[str] = ()) -> None:
    """Write an OCI archive of one layer under one name; whole or not at all."""
    size, checksum = layer.stat().st_size, _sha256(layer)
    config = _json(
        {
            "architecture": architecture(),
            "os": "linux",
            "config": {"Entrypoint": list(entrypoint), "Env": ["PATH=/usr/local/bin:/usr/bin:/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{checksum}"]},
            "history": [{"created_by": "tests/cluster"}],
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": _descriptor(CONFIG, config),
            "layers": [{"mediaType": LAYER, "digest": f"sha256:{checksum}", "size": size}],
        }
    )
    named = _descriptor(MANIFEST, manifest) | {
        "annotations": {"io.containerd.image.name": reference, "org.opencontainers.image.ref.name": reference}
    }
    index = _json({"schemaVersion": 2, "mediaType": INDEX, "manifests": [named]})
    with _whole(target) as tar:
        _add(tar, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        _add(tar, "index.json", index)
        for blob in (config, manifest):
            _add(tar, f"blobs/sha256/{hashlib.sha256(blob).hexdigest()}", blob)
        tar.add(layer, f"blobs/sha256/{checksum}")


@contextmanager
def _whole(target: Path) -> Iterator[tarfile.TarFile]:
    """Open an archive for writing that gets its name only when it is finished."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="archive-", dir=scratch_root()) as scratch:
        partial = Path(scratch, target.name)
        with tarfile.open(partial, "w") as tar:
            yield tar
        partial.rename(target)


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content).encode()


def _descriptor(kind: str, blob: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "digest": f"sha256:{hashlib.sha256(blob).hexdigest()}", "size": len(blob)}


def _sha256(path: Path) -> str:
    checksum = hashlib.sha256()
    with path.open("rb") as source:
        while block := source.read(BLOCK):
            checksum.update(block)
    return checksum.hexdigest()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))
