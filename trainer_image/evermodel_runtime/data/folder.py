"""A folder of files as one table: equal columns, and those that the names of its folders hold, as in ``year=2026/``."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from functools import partial
from itertools import accumulate
from typing import Any
from urllib.parse import unquote

import pyarrow as pa

from evermodel.contract import DataFormat, FailureReason
from evermodel_runtime.data.claim import ClaimedFile
from evermodel_runtime.data.extent import Extent
from evermodel_runtime.data.failure import JobError, NoRowsError, data_error, listed
from evermodel_runtime.data.formats import found_type, named_type, read_table
from evermodel_runtime.data.memory import Memory
from evermodel_runtime.data.table import TEXT, Part, Table

NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
"""How Hive and Spark spell a missing value in the name of a folder."""


def read_folder(
    files: Sequence[ClaimedFile],
    name: str,
    declared: DataFormat,
    *,
    texts: Collection[str],
    only: Collection[str] | None,
    memory: Memory,
) -> tuple[Table, str]:
    """Return the rows of all files, in the order of their paths, and the digest of the folder.

    Parameters
    ----------
    files : sequence of ClaimedFile
        What is in the folder.
    name : str
        What messages call it; the other parameters are those of ``read_table``.
    """
    read = partial(_read_all, files, declared, only=only, memory=memory, name=name)
    parts, digest = read(texts=texts)
    if mixed := _mixed(parts):  # numbers in one file, text in another: then all of it is text, as in a single file
        parts, again = read(texts={*texts, *mixed})
        if again != digest:
            raise data_error(f"{name} changed while it was read. Write into another folder, and name that.")
        if mixed := _mixed(parts):
            raise data_error(
                f"{name}: column {mixed[0]!r} is text in {_first(parts, mixed[0], text=True)} and a number in "
                f"{_first(parts, mixed[0], text=False)}. Write it in one way in all files."
            )
    return _joined(parts, name), digest


def _read_all(
    files: Sequence[ClaimedFile],
    declared: DataFormat,
    *,
    texts: Collection[str],
    only: Collection[str] | None,
    memory: Memory,
    name: str,
) -> tuple[list[Table], str]:
    digest = hashlib.sha256()
    parts: list[Table] = []
    without_rows: NoRowsError | None = None
    so_far = Extent(rows=0, cells=0)
    for file in files:
        memory.check_stored(so_far.size + file.size, name)
        content = file.read()
        digest.update(f"{file.path}\0{len(content)}\0{hashlib.sha256(content).hexdigest()}\n".encode())
        try:
            read = read_table(content, file.name, declared, texts=texts, only=only, memory=memory)
            table = _with_path(read, file, only)
            if parts:
                _require_same_columns(parts[0], table)
        except NoRowsError as error:  # as programs write that share rows out among many files
            without_rows = without_rows or error
            continue
        except JobError as error:
            raise _among_others(error, file, content, files) from error
        parts.append(table)
        so_far = so_far.followed_by(Extent.of(table.columns))
        memory.check(so_far, held=len(content), name=name)
    if without_rows is not None and not parts:
        raise without_rows
    return parts, digest.hexdigest()


def _among_others(error: JobError, file: ClaimedFile, content: bytes, files: Sequence[ClaimedFile]) -> JobError:
    """Say of a file that does not go with the others that they are of another type: it may be no part of the table."""
    kind = found_type(content, file.name)
    for other in files:
        named = named_type(other.name)
        if error.reason is FailureReason.DATA_INVALID and named is not None and named is not kind:
            return data_error(
                f"{error.message} The file looks like {kind}, and {other.path} is {named}: if it is no part of the "
                "table, move it out of the folder, or let its name begin with _; else write all files in one format."
            )
    return error


def _with_path(table: Table, file: ClaimedFile, only: Collection[str] | None) -> Table:
    """Add the columns that the names of the file's folders hold."""
    columns = dict(table.columns)
    header = table.header
    for folder in file.path.split("/")[:-1]:
        key, equals, value = folder.partition("=")
        column = unquote(key)
        if not equals or not column:
            continue
        if column in header:
            raise data_error(f"{file.name}: the column {column!r} is in the file and in the name of its folder too.")
        header = (*header, column)
        if only is None or column in only:
            text = None if value == NO_VALUE else unquote(value)
            columns[column] = pa.chunked_array(
                [pa.repeat(pa.scalar(text, pa.string()), len(table)).dictionary_encode()]
            )
    return Table(table.name, header, columns, table.lines)


def _require_same_columns(first: Table, other: Table) -> None:
    ours, theirs = set(first.header), set(other.header)
    if ours != theirs:
        lacking, lack = (other, ours - theirs) if ours - theirs else (first, theirs - ours)
        having = first if lacking is other else other
        raise data_error(
            f"{lacking.name} has no column {listed(sorted(map(repr, lack)))}, which {having.name} has. All files of a "
            "folder need the same columns."
        )


def _mixed(parts: Sequence[Table]) -> list[str]:
    """Return the columns that are text in some files and no text in others; those without any value fit to all."""
    return [
        name
        for name in parts[0].columns
        if len({part.columns[name].type == TEXT for part in parts if not _is_empty(part.columns[name])}) > 1
    ]


def _is_empty(column: Any) -> bool:
    return bool(column.null_count == len(column))


def _first(parts: Sequence[Table], column: str, *, text: bool) -> str:
    return next(part.name for part in parts if (part.columns[column].type == TEXT) is text)


def _joined(parts: Sequence[Table], name: str) -> Table:
    columns = {column: _column([part.columns[column] for part in parts], column, name) for column in parts[0].columns}
    starts = accumulate((len(part) for part in parts), initial=0)
    below = name.rstrip("/") + "/"
    places = tuple(
        Part(start, part.name.removeprefix(below), part.lines) for start, part in zip(starts, parts, strict=False)
    )
    return Table(name, parts[0].header, columns, None, places)


def _column(parts: Sequence[Any], column: str, name: str) -> Any:
    is_text = any(part.type == TEXT for part in parts)
    same = [part.cast(pa.string()).dictionary_encode() if is_text and part.type != TEXT else part for part in parts]
    try:
        tables = [pa.table({column: part}) for part in same]
        joined = pa.concat_tables(tables, promote_options="permissive").column(column)
    except pa.ArrowException as error:
        raise data_error(
            f"{name}: column {column!r} is of types that do not go together in its files: {error}. Write it in one way."
        ) from error
    return joined.unify_dictionaries() if is_text else joined
