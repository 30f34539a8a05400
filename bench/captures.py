"""What captured rows cost the hub as they are stored now, row by row in SQLite, and what Arrow segments would.

    python bench/captures.py                    about a minute
    python bench/captures.py --rows 20000       a quick look

Rows have thirty numbers, of which half are labelled. The way now is the hub's own code. The other way keeps the keys of
rows in SQLite as now and their values in files of 5,000 rows, each column one after the other, compressed; until there
are so many, what a pod sent waits in SQLite as it came, since it is acknowledged only once it is on disk. Verifying
signed ids is left out, as it is the same in both ways, and so is the network.

Storing is all from the heartbeat's bytes to what is on disk, erasing all that leaves a row in no file, and reading what
hub and Job together do from the disk to a matrix and its labels.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Protocol, TypeVar

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "operator"), str(ROOT / "trainer_image")]

from evermodel.contract import Capture, Heartbeat, LabelledRecords
from evermodel_runtime.hub.blobs import BlobStore
from evermodel_runtime.hub.erasing import EraseRow
from evermodel_runtime.hub.ledger import AcceptLabels, NewLabel
from evermodel_runtime.hub.operations import Operation
from evermodel_runtime.hub.reading import model_id
from evermodel_runtime.hub.records import read_records
from evermodel_runtime.hub.schema import open_for_reading, open_for_writing
from evermodel_runtime.hub.settings import Synchronous
from evermodel_runtime.hub.store import HubStore
from evermodel_runtime.hub.traffic import CountHeartbeat, NewCapture

T = TypeVar("T")
MODEL = "m"
VERSION = 1
FEATURES = 30
AT_ONCE = 500
"""Rows in a heartbeat."""
IN_SEGMENT = 5000
PAGE = 5000
"""Records that a Job asks for at a time."""
ERASED = 20
DIGITS = 4
"""Significant digits of a value, as measured data has them."""
SPELLED = [f"c{column}" for column in range(FEATURES)]

_INDEX = """
CREATE TABLE places (
  n INTEGER PRIMARY KEY, model INTEGER NOT NULL, key TEXT NOT NULL, predicted_at REAL NOT NULL, version INTEGER,
  withheld TEXT, segment INTEGER, place INTEGER NOT NULL, label_seq INTEGER);
CREATE UNIQUE INDEX places_by_key ON places (model, key);
CREATE INDEX places_by_age ON places (model, predicted_at);
CREATE INDEX places_labelled ON places (model, label_seq, predicted_at)
  WHERE label_seq IS NOT NULL AND withheld IS NULL;
CREATE INDEX places_by_segment ON places (segment, place);
CREATE TABLE waiting (first INTEGER PRIMARY KEY, content BLOB NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Rows:
    """What was predicted."""

    keys: list[str]
    at: list[float]
    values: NDArray[np.float64]

    def parts(self, size: int) -> Iterator[slice]:
        """Cut all of them into parts."""
        return (slice(start, min(start + size, len(self.keys))) for start in range(0, len(self.keys), size))


def make_rows(count: int) -> Rows:
    """Make rows of a day, with values of some digits."""
    chance = np.random.default_rng(0)
    drawn = np.exp(chance.normal(size=(count, FEATURES)) + chance.normal(size=FEATURES))
    unit = 10.0 ** (np.floor(np.log10(drawn)) - DIGITS + 1)
    values = np.array([float(f"{value:.{DIGITS}g}") for value in (np.round(drawn / unit) * unit).ravel()])
    keys = [f"{place:012x}" + chance.bytes(6).hex() for place in range(count)]
    return Rows(keys, [1.8e9 + 86_400 * place / count for place in range(count)], values.reshape(count, FEATURES))


def labels_of(rows: Rows) -> list[NewLabel]:
    """Return labels of every second row."""
    pairs = zip(rows.keys[::2], rows.at[::2], strict=True)
    return [NewLabel(key, VERSION, at, "1", correct=True, predicted="1") for key, at in pairs]


class Way(Protocol):
    """A way to store captured rows."""

    name: str

    def store(self, rows: Rows, part: slice, content: bytes) -> None:
        """Keep what a heartbeat holds."""

    def content(self, rows: Rows, part: slice) -> bytes:
        """Return a heartbeat as a pod would send it."""
        ...

    def erase(self, key: str) -> None:
        """Leave a row in no file."""

    def read(self) -> tuple[NDArray[np.float64], list[str]]:
        """Return all rows that have labels, and these."""
        ...


class Database:
    """The hub's own tables, one transaction for each operation."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.connection = open_for_writing(folder, Synchronous.FULL)
        self.hub = HubStore(self.connection)

    def apply(self, *operations: AcceptLabels | Operation) -> None:
        """Carry out and commit."""
        self.within(lambda: self.hub.apply(operations))

    def within(self, change: Callable[[], object]) -> None:
        """Make a change, and commit."""
        self.connection.execute("BEGIN IMMEDIATE")
        change()
        self.connection.execute("COMMIT")
        self.hub.committed()

    def label(self, labels: Sequence[NewLabel]) -> None:
        """Take labels."""
        for start in range(0, len(labels), AT_ONCE):
            self.apply(AcceptLabels(MODEL, 1.8e9, tuple(labels[start : start + AT_ONCE])))

    def size(self) -> int:
        """Return the bytes of all files, the write-ahead log emptied."""
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return sum(file.stat().st_size for file in self.folder.rglob("*") if file.is_file())


class ByRow:
    """As the hub stores them now."""

    name = "rows in SQLite (now)"

    def __init__(self, database: Database) -> None:
        self._database = database
        self._blobs = BlobStore(database.folder / "blobs", 1 << 30)

    def content(self, rows: Rows, part: slice) -> bytes:
        """Return a heartbeat as a pod sends it."""
        pairs = zip(rows.keys[part], rows.values[part].tolist(), strict=True)
        captures = tuple(Capture(id=key, row=tuple(row)) for key, row in pairs)
        return msgspec.json.encode(Heartbeat(pod="p", version=VERSION, predictions=part.stop, captures=captures))

    def store(self, rows: Rows, part: slice, content: bytes) -> None:
        """Keep what a heartbeat holds."""
        heartbeat = msgspec.json.decode(content, type=Heartbeat)
        captures = tuple(
            NewCapture(capture.id, VERSION, at, msgspec.json.encode(capture.row))
            for capture, at in zip(heartbeat.captures, rows.at[part], strict=True)
        )
        count = CountHeartbeat(
            model=MODEL,
            at=1.8e9,
            pod="p",
            version=VERSION,
            predictions=heartbeat.predictions,
            errors=0,
            captures=captures,
            captures_kept=1 << 30,
            rules=None,
        )
        self._database.apply(count)

    def erase(self, key: str) -> None:
        """Leave a row in no file."""
        self._database.apply(EraseRow(MODEL, 1.8e9, key))

    def read(self) -> tuple[NDArray[np.float64], list[str]]:
        """Read page by page, each sent as JSON."""
        connection = open_for_reading(self._database.folder)
        matrices: list[NDArray[np.float64]] = []
        labels: list[str] = []
        after, more = 0, True
        while more:
            page = read_records(
                connection, self._blobs, MODEL, after=after, through=None, predicted_after=0, limit=PAGE
            )
            records = msgspec.json.decode(msgspec.json.encode(page), type=LabelledRecords)
            matrices.append(np.array([record.row for record in records.records], np.float64))
            labels += [record.label for record in records.records]
            after, more = records.through, records.more
        connection.close()
        return np.concatenate(matrices), labels


class BySegment:
    """Keys in SQLite, values in files of many rows."""

    def __init__(self, database: Database, compression: str) -> None:
        self.name = f"Arrow segments, {compression}"
        self._database = database
        self._folder = database.folder / "segments"
        self._folder.mkdir()
        self._options = pa.ipc.IpcWriteOptions(compression=compression)
        self._segments = 0
        database.connection.executescript(_INDEX)

    def content(self, rows: Rows, part: slice) -> bytes:
        """Return ids and columns as a pod would send them."""
        columns = [pa.array(rows.keys[part]), *(pa.array(column) for column in rows.values[part].T)]
        return _written(pa.table(columns, ["key", *SPELLED]), pa.ipc.IpcWriteOptions())

    def store(self, rows: Rows, part: slice, content: bytes) -> None:
        """Keep the index, and the values as they came; make a segment of many."""
        keys = pa.ipc.open_file(content).read_all()["key"].to_pylist()
        model = self._database.hub.model_id(MODEL)
        places = range(part.start, part.stop)
        index = zip([model] * len(keys), keys, rows.at[part], [VERSION] * len(keys), places, strict=True)
        connection = self._database.connection

        def keep() -> None:
            connection.executemany(
                "INSERT OR IGNORE INTO places (model, key, predicted_at, version, place) VALUES (?, ?, ?, ?, ?)", index
            )
            connection.execute("INSERT INTO waiting VALUES (?, ?)", (part.start, content))

        self._database.within(keep)
        if part.stop % IN_SEGMENT == 0:
            self._make_segment()

    def _make_segment(self) -> None:
        connection = self._database.connection
        waiting = connection.execute("SELECT first, content FROM waiting ORDER BY first").fetchall()
        first = waiting[0][0]
        table = pa.concat_tables([pa.ipc.open_file(content).read_all() for _, content in waiting]).drop_columns("key")
        places = pa.array(range(first, first + len(table)), pa.int64())
        number, self._segments = self._segments, self._segments + 1
        self._write(number, table.append_column("place", places))

        def move() -> None:
            connection.execute(
                "UPDATE places SET segment = ? WHERE segment IS NULL AND place BETWEEN ? AND ?",
                (number, first, first + len(table) - 1),
            )
            connection.execute("DELETE FROM waiting")

        self._database.within(move)

    def erase(self, key: str) -> None:
        """Write the segment again without the row, then forget the key."""
        connection = self._database.connection
        number, place = connection.execute(
            "SELECT segment, place FROM places WHERE model = ? AND key = ?", (self._database.hub.model_id(MODEL), key)
        ).fetchone()
        table = self._read(number)
        self._write(number, table.filter(pc.not_equal(table["place"], place)))

        def forget() -> None:
            connection.execute("DELETE FROM places WHERE segment = ? AND place = ?", (number, place))
            self._database.hub.empty_log = True

        self._database.within(forget)

    def read(self) -> tuple[NDArray[np.float64], list[str]]:
        """Read whole segments, sent as they are, and the labels with their places."""
        connection = open_for_reading(self._database.folder)
        model = model_id(connection, MODEL)
        found = connection.execute(
            "SELECT p.segment, p.place, l.label FROM labels AS l "
            "JOIN places AS p ON p.model = l.model AND p.key = l.key WHERE l.model = ? ORDER BY p.segment, p.place",
            (model,),
        ).fetchall()
        connection.close()
        sent = pa.table(list(zip(*found, strict=True)), ["segment", "place", "label"])
        received = pa.ipc.open_file(_written(sent, self._options)).read_all()
        numbers, labelled = received["segment"].to_numpy(), received["place"].to_numpy()
        matrices = []
        for number in np.unique(numbers).tolist():
            table = self._read(number)
            rows = np.searchsorted(table["place"].to_numpy(), labelled[numbers == number])
            columns = [table[name].to_numpy()[rows] for name in SPELLED]
            matrices.append(np.column_stack(columns))
        return np.concatenate(matrices), received["label"].to_pylist()

    def _path(self, number: int) -> Path:
        return self._folder / f"{number}.arrow"

    def _read(self, number: int) -> Any:
        return pa.ipc.open_file(self._path(number).read_bytes()).read_all()

    def _write(self, number: int, table: Any) -> None:
        """Write a file whole, or not at all."""
        new = self._path(number).with_suffix(".new")
        with new.open("wb") as file:
            file.write(_written(table, self._options))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path(number))
        folder = os.open(self._folder, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


def _written(table: Any, options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema, options=options) as writer:
        writer.write_table(table.combine_chunks())
    content: bytes = sink.getvalue().to_pybytes()
    return content


def spent(work: Callable[[], T]) -> tuple[float, T]:
    """Return the processor's seconds that work takes, and its result."""
    began = time.process_time()
    result = work()
    return time.process_time() - began, result


def measure(way: Way, database: Database, rows: Rows) -> dict[str, float]:
    """Store, label, read and erase."""
    empty = database.size()
    stored = 0.0
    for part in rows.parts(AT_ONCE):
        content = way.content(rows, part)
        stored += spent(lambda part=part, content=content: way.store(rows, part, content))[0]  # type: ignore[misc]  # bound now
    size = database.size() - empty
    database.label(labels_of(rows))
    took, (matrix, labels) = spent(way.read)
    if not (np.array_equal(matrix, rows.values[::2]) and len(labels) == len(matrix)):
        raise SystemExit(f"{way.name}: other rows were read than were stored")
    erased, erased_cpu = [], []
    for key in rows.keys[1 :: 2 * max(1, len(rows.keys) // (2 * ERASED))][:ERASED]:
        began = time.perf_counter()
        erased_cpu.append(spent(lambda key=key: way.erase(key))[0])  # type: ignore[misc]  # bound now
        erased.append(time.perf_counter() - began)
    return {
        "disk_mb": size / 1e6,
        "store_us_per_row": 1e6 * stored / len(rows.keys),
        "read_s": took,
        "erase_ms": 1e3 * median(erased),
        "erase_cpu_ms": 1e3 * median(erased_cpu),
    }


def rss_of_arrow() -> float:
    """Return what pyarrow adds to the memory of a process, in MB."""
    code = "import numpy{}; print(next(line.split()[1] for line in open('/proc/self/status') if 'VmRSS' in line))"
    plain, with_arrow = (
        int(subprocess.run([sys.executable, "-c", code.format(more)], check=True, stdout=subprocess.PIPE).stdout)
        for more in ("", ", pyarrow, pyarrow.compute")
    )
    return (with_arrow - plain) / 1000


def main() -> int:
    """Print a line for each way, and the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000, help="rows that are captured (200,000)")
    options = parser.parse_args()
    rows = make_rows(options.rows)
    figures: dict[str, float] = {"arrow_rss_mb": rss_of_arrow()}
    print(f"{'':<24} {'disk MB':>9} {'store us/row':>13} {'read s':>8} {'erase ms':>9} {'of it CPU':>10}")
    ways: tuple[tuple[str, Callable[[Database], Way]], ...] = (
        ("sqlite", ByRow),
        ("zstd", lambda database: BySegment(database, "zstd")),
        ("lz4", lambda database: BySegment(database, "lz4")),
    )
    for short, make in ways:
        with tempfile.TemporaryDirectory() as folder:
            database = Database(Path(folder))
            way = make(database)
            found = measure(way, database, rows)
            database.connection.close()
        print(
            f"{way.name:<24} {found['disk_mb']:>9.1f} {found['store_us_per_row']:>13.1f} {found['read_s']:>8.2f} "
            f"{found['erase_ms']:>9.2f} {found['erase_cpu_ms']:>10.2f}",
            flush=True,
        )
        figures |= {f"{short}_{name}": value for name, value in found.items()}
    print(json.dumps({name: round(value, 3) for name, value in figures.items()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
