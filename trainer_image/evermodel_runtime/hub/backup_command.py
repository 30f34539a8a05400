"""``hub-backup DIR`` or ``hub-backup -``: a backup of the hub's volume, while the hub works."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from evermodel_runtime.hub.archive import BackupError, Contents
from evermodel_runtime.hub.backup import write_backup
from evermodel_runtime.hub.settings import DATA_ENV, data_folder
from evermodel_runtime.hub.volume import sync_folder

STANDARD_OUTPUT = "-"


def main(arguments: Sequence[str] | None = None) -> int:
    """Make a backup; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="evermodel-runtime hub-backup",
        description=f"Copies the volume of a hub ({DATA_ENV}, else /data) into one tar file, while the hub works.",
    )
    parser.add_argument(
        "target", metavar="DIR|-", help="folder in which hub-TIME.tar is made once it is complete; - is standard output"
    )
    parser.add_argument(
        "--keep", metavar="N", type=_positive, help="remove all but the newest N of them in DIR after that"
    )
    options = parser.parse_args(arguments)
    target = options.target
    data, now = data_folder(os.environ), datetime.now(UTC)
    try:
        contents = _to_output(data, now) if target == STANDARD_OUTPUT else _to_folder(data, Path(target), now)
    except (BackupError, OSError) as error:
        print(f"no backup was made: {error}", file=sys.stderr)
        return 1
    told = f"the backup is complete: schema {contents.schema}, {contents.blobs:,} blobs, as of {contents.made_at}"
    print(told, file=sys.stderr)
    if options.keep is not None and target != STANDARD_OUTPUT:
        _remove_older(Path(target), options.keep)
    for digest in contents.damaged:
        print(f"blob {digest} is damaged on the volume: a restore leaves it out", file=sys.stderr)
    return 0


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is below 1")
    return number


def _remove_older(folder: Path, keep: int) -> None:
    """Remove the oldest: their names are in the order in which they were made."""
    for old in sorted(folder.glob("hub-????????T??????Z.tar"))[:-keep]:
        old.unlink()


def _to_output(data: Path, now: datetime) -> Contents:
    with tempfile.TemporaryDirectory(prefix="hub-backup-") as folder:
        contents = write_backup(data, Path(folder) / "copy", sys.stdout.buffer, now)
    sys.stdout.buffer.flush()
    return contents


def _to_folder(data: Path, folder: Path, now: datetime) -> Contents:
    """Make the file under another name first: one that is called hub-TIME.tar is complete."""
    final = folder / f"hub-{now:%Y%m%dT%H%M%SZ}.tar"
    partial = final.with_suffix(".partial")
    try:
        with tempfile.TemporaryDirectory(prefix=".hub-backup-", dir=folder) as beside, partial.open("xb") as file:
            contents = write_backup(data, Path(beside) / "copy", file, now)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(final)
        sync_folder(folder)
    finally:
        partial.unlink(missing_ok=True)
    print(final)
    return contents
