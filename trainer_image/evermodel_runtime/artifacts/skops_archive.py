"""skops archives: the same bytes for the same model, and nothing loaded but the types that a model needs.

As skops writes them, archives hold memory addresses and times, and no two are equal. Here an object's number is the
order in which the archive comes to it, and files carry no time.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import skops.io
from skops.io.exceptions import UnsupportedTypeException

from evermodel_runtime.artifacts.scorer import ModelFileError
from evermodel_runtime.artifacts.skops_types import LOADERS, TYPES

SCHEMA = "schema.json"
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip file knows."""
LARGEST_SCHEMA = 256 << 20
"""Bytes: a forest of 10,000 trees has 60 MB of it."""
ARCHIVE_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    ArithmeticError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What bytes raise that nobody wrote as an archive: zipfile, json, NumPy, skops and scikit-learn have no one error."""
ADDRESS = "_stop_words_id"
VALUE_LOADERS = frozenset({"JsonNode", "TypeNode"})
"""Nodes of values that cannot change: whether two are one object means nothing."""
NOTHING = {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": "null", "is_json": True}
"""None, as skops writes it."""
_Node = dict[str, Any]


class ArchiveError(ModelFileError):
    """The pipeline cannot be stored, or the bytes are no archive that may be loaded; the text says why."""


def dump_pipeline(pipeline: Any) -> bytes:
    """Store a fitted pipeline.

    Raises
    ------
    ArchiveError
        When it holds a type that would not be loaded again.
    """
    try:
        written = skops.io.dumps(pipeline)
    except (UnsupportedTypeException, TypeError, ValueError, AttributeError) as error:
        raise ArchiveError(f"skops cannot store it: {error}") from error
    with zipfile.ZipFile(io.BytesIO(written)) as archive:
        schema = json.loads(archive.read(SCHEMA))
        files = {name: archive.read(name) for name in archive.namelist() if name != SCHEMA}
    _forget_addresses(schema)
    _forget_functions(schema)
    check_types(schema)
    return _zipped(schema, _numbered(schema, files))


def load_pipeline(content: bytes) -> Any:
    """Load what ``dump_pipeline`` wrote.

    Raises
    ------
    ArchiveError
        When the bytes are no archive, or hold a type that is not on the list: checked before anything is made.
    """
    check_types(read_schema(content))
    try:
        return skops.io.loads(content, trusted=sorted(TYPES))
    except ARCHIVE_ERRORS as error:
        raise ArchiveError(str(error) or type(error).__name__) from error


def read_schema(content: bytes) -> Any:
    """Read what an archive says it holds.

    Raises
    ------
    ArchiveError
        When the bytes are no archive, or say too much to be a model.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = archive.getinfo(SCHEMA).file_size
            if size > LARGEST_SCHEMA:
                raise ArchiveError(f"its {SCHEMA} has {size:,} bytes; at most {LARGEST_SCHEMA:,} are taken")
            return json.loads(archive.read(SCHEMA))
    except ARCHIVE_ERRORS as error:
        raise ArchiveError(str(error) or type(error).__name__) from error


def check_types(schema: Any) -> None:
    """Refuse a schema with a type or a way of loading that is not on the list."""
    for node in nodes_of(schema):
        name = f"{node.get('__module__')}.{node.get('__class__')}"
        loader = node["__loader__"]
        if not isinstance(loader, str) or loader not in LOADERS or name not in TYPES:
            raise ArchiveError(f"{name} ({loader}) is none of the types that may be loaded")


def nodes_of(value: Any) -> Iterator[_Node]:
    """Walk the schema, in the order in which it is written."""
    if isinstance(value, dict):
        if "__loader__" in value:
            yield value
        for part in value.values():
            yield from nodes_of(part)
    elif isinstance(value, list):
        for part in value:
            yield from nodes_of(part)


def _forget_addresses(schema: Any) -> None:
    """Leave out what vectorisers note of the memory that they were fitted in."""
    for node in nodes_of(schema):
        if node["__module__"] == "sklearn.feature_extraction.text" and node["__loader__"] == "ObjectNode":
            attributes, kinds = node["content"]["content"], node["content"]["key_types"]["content"]
            if ADDRESS in attributes:
                del kinds[list(attributes).index(ADDRESS)]
                del attributes[ADDRESS]


def _forget_functions(schema: Any) -> None:
    """Leave out by which function columns were chosen: the choice is made, and no archive may name a function."""
    for node in nodes_of(schema):
        if node["__module__"] == "sklearn.feature_selection._univariate_selection" and "content" in node:
            node["content"]["content"]["score_func"] = dict(NOTHING)


def _numbered(schema: Any, files: dict[str, bytes]) -> dict[str, bytes]:
    """Give objects and files numbers in the schema's order; returns the files under their new names."""
    uses = Counter(node.get("__id__") for node in nodes_of(schema))
    numbers: dict[int, int] = {}
    names: dict[str, str] = {}
    for node in nodes_of(schema):
        identity = node.pop("__id__", None)
        if node["__loader__"] not in VALUE_LOADERS and uses[identity] > 1:
            node["__id__"] = numbers.setdefault(identity, len(numbers) + 1)
        if "file" in node:
            suffix = node["file"].rpartition(".")[2]
            node["file"] = names.setdefault(node["file"], f"{len(names) + 1}.{suffix}")
    return {new: files[old] for old, new in names.items()}


def _zipped(schema: Any, files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(SCHEMA, EPOCH), json.dumps(schema, separators=(",", ":")))
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), content)
    return buffer.getvalue()
