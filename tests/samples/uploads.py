"""The files that samples want uploaded first: `make samples` writes them, and prints the digests that samples name."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path
from typing import Final

from tests.samples import networks, tables

from evermodel.api.generated import CHECKOUT

FOLDER: Final = Path("build/samples")


@functools.cache
def files() -> dict[str, bytes]:
    """Return the content of each file by its name."""
    return networks.files() | tables.tables()


def write(folder: Path) -> None:
    """Write the files and print their digests, as sha256sum does."""
    (CHECKOUT / folder).mkdir(parents=True, exist_ok=True)
    for name, content in files().items():
        (CHECKOUT / folder / name).write_bytes(content)
        print(f"{hashlib.sha256(content).hexdigest()}  {folder / name}")  # noqa: T201 - to be copied from


if __name__ == "__main__":
    write(FOLDER)
