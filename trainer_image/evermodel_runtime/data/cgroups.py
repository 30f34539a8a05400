"""Where the limits of this process stand: in the folders of its control groups, v2 or v1."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/")


def folders(root: Path, controller: str) -> Iterator[Path]:
    """Yield the folders of the process's group and of all groups above it, as far as they can be seen."""
    for line in (root / "proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        # In a container the path is the node's, and the folder that is mounted is the container's own.
        base = root / "sys/fs/cgroup" / (controller if controllers else "")
        yield base
        yield from (base / part for part in _prefixes(path))


def first_line(file: Path) -> str:
    """Return what stands in a file of a group; nothing where there is no such file."""
    try:
        return file.read_text().strip()
    except OSError:
        return ""


def _prefixes(path: str) -> list[str]:
    parts = path.strip("/").split("/")
    return ["/".join(parts[:length]) for length in range(1, len(parts) + 1)] if path != "/" else []
