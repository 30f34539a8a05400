"""From the bytes of a source to a table: what is compressed is undone, and the format is found or declared."""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pyarrow.types

from evermodel.contract import DataFormat, FileType
from evermodel_runtime.data.csvarrow import estimated_rows
from evermodel_runtime.data.csvfile import read_csv
from evermodel_runtime.data.extent import CODE_BYTES, NUMBER_BYTES, SHORT_WORD, Extent
from evermodel_runtime.data.failure import NoRowsError, data_error, listed
from evermodel_runtime.data.jsonlines import read_json_lines
from evermodel_runtime.data.memory import Memory
from evermodel_runtime.data.table import TEXT, Table, checked_header
from evermodel_runtime.data.unreadable import refuse_what_is_no_table

COMPRESSED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
"""First bytes of a compressed file."""
ENDINGS = (".gz", ".zst", ".zstd")
TYPES = {
    ".csv": FileType.CSV,
    ".tsv": FileType.CSV,
    ".txt": FileType.CSV,
    ".parquet": FileType.PARQUET,
    ".pq": FileType.PARQUET,
    ".jsonl": FileType.JSON_LINES,
    ".ndjson": FileType.JSON_LINES,
    ".arrow": FileType.ARROW,
    ".feather": FileType.ARROW,
}
ARROW_FILE = b"ARROW1"
ARROW_STREAM = b"\xff\xff\xff\xff"
PARQUET = b"PAR1"
PIECE = 1 << 22


def read_table(
    content: bytes,
    name: str,
    declared: DataFormat | None = None,
    *,
    texts: Collection[str] = (),
    only: Collection[str] | None = None,
    memory: Memory | None = None,
) -> Table:
    """Read a file of any format; the parameters are those of ``read_csv``.

    Raises
    ------
    JobError
        DataInvalid: the file is not what it is called, or is broken; OutOfMemory: it does not fit.
    """
    content = _decompressed(content, name, memory)
    table = _read(content, name, declared or DataFormat(), texts=texts, only=only, memory=memory)
    if memory is not None:
        memory.check(Extent.of(table.columns), held=len(content), name=name)
    return table


def _read(
    content: bytes,
    name: str,
    declared: DataFormat,
    *,
    texts: Collection[str],
    only: Collection[str] | None,
    memory: Memory | None,
) -> Table:
    refuse_what_is_no_table(content, name)
    kind = declared.type or found_type(content, name)
    _check_kind(content, name, kind)
    match kind:
        case FileType.CSV:
            return read_csv(content, name, declared, texts=texts, only=only, memory=memory)
        case FileType.JSON_LINES:
            if memory is not None:
                rows = estimated_rows(content[:PIECE], len(content))
                memory.check(Extent(rows=rows, cells=len(content)), held=len(content), name=name)
            read = read_json_lines(content, name)
            line_for_each = len(content.rstrip().splitlines()) == read.num_rows
            return _as_table(read, name, only, range(1, read.num_rows + 1) if line_for_each else None)
        case FileType.PARQUET:
            return _read_parquet(content, name, only, memory)
        case FileType.ARROW:
            return _as_table(_read_arrow(content, name, memory), name, only, None)


def found_type(content: bytes, name: str) -> FileType:
    """Return the type of a file by its first bytes, else by its name."""
    if content.startswith(PARQUET):
        return FileType.PARQUET
    if content.startswith((ARROW_FILE, ARROW_STREAM)):
        return FileType.ARROW
    if (kind := named_type(name)) is not None:
        return kind
    return FileType.JSON_LINES if content[:PIECE].lstrip()[:1] in (b"{", b"[") else FileType.CSV


def named_type(name: str) -> FileType | None:
    """Return the type that the ending of a name says, if any."""
    stem = name.partition("?")[0].lower()
    for ending in ENDINGS:
        stem = stem.removesuffix(ending)
    return next((kind for ending, kind in TYPES.items() if stem.endswith(ending)), None)


def _check_kind(content: bytes, name: str, kind: FileType) -> None:
    """Refuse a file that begins as another type than it is called."""
    if kind is FileType.PARQUET and not content.startswith(PARQUET):
        raise data_error(
            f"{name} is broken Parquet: it does not begin with PAR1. If it is another format, declare it in "
            "spec.data.format.type."
        )
    if kind in (FileType.CSV, FileType.JSON_LINES) and content.startswith((PARQUET, ARROW_FILE, ARROW_STREAM)):
        real = "Parquet" if content.startswith(PARQUET) else "Arrow"
        raise data_error(f"{name} is {real}, but spec.data.format.type says {kind}. Correct or remove it.")


def _codec(content: bytes) -> str | None:
    return next((codec for magic, codec in COMPRESSED.items() if content.startswith(magic)), None)


def _decompressed(content: bytes, name: str, memory: Memory | None) -> bytes:
    codec = _codec(content)
    if codec is None:
        return content
    whole = io.BytesIO()
    try:
        with pa.CompressedInputStream(pa.BufferReader(content), codec) as stream:
            while piece := stream.read(PIECE):
                whole.write(piece)
                if memory is not None:
                    memory.check_stored(len(content) + whole.tell(), f"{name}, decompressed,")
    except OSError as error:
        raise data_error(f"{name} is broken {codec}: {error}. Was it uploaded whole?") from error
    if again := _codec(whole.getbuffer()[:4].tobytes()):
        raise data_error(f"{name} is compressed twice, by {codec} and within it by {again}. Compress it once.")
    return whole.getvalue()


def _read_parquet(content: bytes, name: str, only: Collection[str] | None, memory: Memory | None) -> Table:
    try:
        with pyarrow.parquet.ParquetFile(pa.BufferReader(content)) as file:
            header = checked_header(file.schema_arrow.names, name)
            fields = [field for field in file.schema_arrow if only is None or field.name.strip() in only]
            extent = _extent(file.metadata, fields)
        if memory is not None:
            memory.check(extent, held=len(content), name=name)
        texts = [field.name for field in fields if pyarrow.types.is_string(field.type)]
        with pyarrow.parquet.ParquetFile(pa.BufferReader(content), read_dictionary=texts) as file:
            read = file.read([field.name for field in fields] or header[:1])
    except (pa.ArrowException, OSError) as error:
        raise data_error(f"{name} is broken Parquet: {str(error).rstrip('.')}. Was it uploaded whole?") from error
    _validate(read, name)
    return _table(read, name, header, None)


def _extent(metadata: Any, fields: Sequence[Any]) -> Extent:
    """Estimate how much columns are: the letters of texts take what Parquet holds uncompressed."""
    texts = {field.name for field in fields if pyarrow.types.is_string(field.type) or _is_long(field.type)}
    groups = [metadata.row_group(place) for place in range(metadata.num_row_groups)] if texts else []
    chunks = [group.column(place) for group in groups for place in range(metadata.num_columns)]
    letters = sum(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema in texts)
    rows = metadata.num_rows
    return Extent(
        rows=rows,
        cells=rows * (NUMBER_BYTES * (len(fields) - len(texts)) + CODE_BYTES * len(texts)),
        words=min(rows * len(texts), letters // SHORT_WORD),
        letters=letters,
    )


def _read_arrow(content: bytes, name: str, memory: Memory | None) -> Any:
    source = pa.BufferReader(content)
    batches: list[Any] = []
    so_far = Extent(rows=0, cells=0)
    try:
        if content.startswith(ARROW_FILE):
            opened = pyarrow.ipc.open_file(source)
            coming = (opened.get_batch(place) for place in range(opened.num_record_batches))
        else:
            opened = coming = pyarrow.ipc.open_stream(source)
        for batch in coming:  # they may be compressed
            batches.append(batch)
            so_far = so_far.followed_by(Extent(rows=batch.num_rows, cells=batch.nbytes))
            if memory is not None:
                memory.check(so_far, held=len(content), name=name)
        read = pa.Table.from_batches(batches, opened.schema)
    except (pa.ArrowException, OSError) as error:
        raise data_error(f"{name} is broken Arrow: {str(error).rstrip('.')}. Was it uploaded whole?") from error
    _validate(read, name)
    return read


def _validate(read: Any, name: str) -> None:
    """Refuse offsets and codes that point outside, and text that is not UTF-8: Arrow reads them as they come."""
    for column, values in zip(read.column_names, read.columns, strict=True):
        try:
            values.validate(full=True)
        except pa.ArrowInvalid as error:
            raise data_error(f"{name}: column {column!r} is broken: {error}. Write the file again.") from error


def _as_table(read: Any, name: str, only: Collection[str] | None, lines: Sequence[int] | None) -> Table:
    header = checked_header(read.column_names, name)
    chosen = [place for place, column in enumerate(header) if only is None or column in only]
    return _table(read.select(chosen or [0]), name, header, lines)


def _table(read: Any, name: str, header: tuple[str, ...], lines: Sequence[int] | None) -> Table:
    if not read.num_rows:
        raise NoRowsError(f"{name} has columns ({listed(header)}) but no rows.")
    columns = {column.strip(): _plain(values) for column, values in zip(read.column_names, read.columns, strict=True)}
    return Table(name, header, columns, lines)


def _is_long(kind: Any) -> bool:
    return bool(pyarrow.types.is_large_string(kind) or pyarrow.types.is_string_view(kind))


def _plain(values: Any) -> Any:
    """Return text as ``TEXT`` and numbers as a type that numpy knows; what is neither stays for whoever asks for it."""
    kind = values.type.value_type if pyarrow.types.is_dictionary(values.type) else values.type
    if pyarrow.types.is_string(kind) or _is_long(kind):
        if values.type != TEXT:
            values = values.cast(pa.string()).dictionary_encode()
        return values.unify_dictionaries()
    if pyarrow.types.is_boolean(kind):  # "true" as ``label_text`` has it
        return values.cast(pa.string()).dictionary_encode().unify_dictionaries()
    if pyarrow.types.is_timestamp(kind) or pyarrow.types.is_date(kind):
        return _as_iso(values).dictionary_encode().unify_dictionaries()
    if pyarrow.types.is_null(kind) or pyarrow.types.is_decimal(kind) or pyarrow.types.is_float16(kind):
        return values.cast(pa.float64())
    return values


def _as_iso(values: Any) -> Any:
    """Return dates as 2026-01-31 and times to the second, in UTC where they have a zone."""
    if pyarrow.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pyarrow.types.is_date(values.type):
        return values.cast(pa.date32()).cast(pa.string())
    return values.cast(pa.timestamp("s"), safe=False).cast(pa.string())
