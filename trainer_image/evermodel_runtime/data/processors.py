"""How many processors this process may keep busy, and work that is shared out among them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from evermodel_runtime.data.cgroups import ROOT, first_line, folders

MOST_THREADS = 8
"""Reading waits for memory beyond that, and each thread takes some."""
_QUOTA = re.compile(r"(?P<quota>\d+) (?P<period>\d+)")
"""Of what time; without a limit one of them is max, or -1."""
Piece = TypeVar("Piece")
Done = TypeVar("Done")


def usable_processors(root: Path = ROOT) -> int:
    """Count the processors that this process may run on, or fewer where its control groups have a quota."""
    return max(1, min([len(os.sched_getaffinity(0)), *_quotas(root)]))


def in_threads(work: Callable[[Piece], Done], pieces: Sequence[Piece]) -> list[Done]:
    """Do work that lets go of Python's lock on all pieces; what comes of it is in their order.

    The pieces are the caller's, whatever the number of processors: nothing that is made of them may depend on it.
    """
    threads = min(len(pieces), usable_processors(), MOST_THREADS)
    if threads <= 1:
        return [work(piece) for piece in pieces]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, pieces))  # the first error, by order, gives up the pieces that have not begun


def _quotas(root: Path) -> Iterator[int]:
    """Yield quotas of processor time, a part of a processor as a whole one."""
    for folder in folders(root, "cpu"):
        v1 = f"{first_line(folder / 'cpu.cfs_quota_us')} {first_line(folder / 'cpu.cfs_period_us')}"
        for text in (first_line(folder / "cpu.max"), v1):
            if found := _QUOTA.fullmatch(text):
                yield -(-int(found["quota"]) // int(found["period"]))
