"""``hub-restore FILE`` or ``hub-restore -``: a backup into the empty volume of a hub that does not run."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from evermodel_runtime.hub.archive import BackupError
from evermodel_runtime.hub.restore import restore
from evermodel_runtime.hub.settings import DATA_ENV, data_folder
from evermodel_runtime.hub.volume import VolumeError

STANDARD_INPUT = "-"


def main(arguments: Sequence[str] | None = None) -> int:
    """Restore a backup; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="evermodel-runtime hub-restore",
        description=f"Fills the empty volume of a hub ({DATA_ENV}, else /data) from a backup, and checks every byte.",
    )
    parser.add_argument("source", metavar="FILE|-", help="what hub-backup made; - is standard input")
    source = parser.parse_args(arguments).source
    data = data_folder(os.environ)
    try:
        if source == STANDARD_INPUT:
            contents = restore(sys.stdin.buffer, data)
        else:
            with Path(source).open("rb") as file:
                contents = restore(file, data)
    except (BackupError, VolumeError, OSError) as error:
        print(f"nothing was restored: {error}", file=sys.stderr)
        return 1
    left_out = f", {len(contents.damaged)} damaged ones left out" if contents.damaged else ""
    print(f"{data} is as of {contents.made_at}: {contents.blobs:,} blobs{left_out}; the hub can be started")
    return 0
