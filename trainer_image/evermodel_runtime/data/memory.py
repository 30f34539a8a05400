"""How much memory this Job may use, and whether a file fits: said before the node kills the pod for it."""

from __future__ import annotations

import ctypes
import resource
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pyarrow as pa

from evermodel.contract import FailureReason
from evermodel_runtime.data.cgroups import ROOT, first_line, folders
from evermodel_runtime.data.extent import Extent
from evermodel_runtime.data.failure import JobError

UNLIMITED = 1 << 60
"""cgroup v1 writes a number of this size where there is no limit."""
LIBRARIES = 220 << 20
"""What scikit-learn, ONNX and their libraries take once they are imported."""
COPIES = 4
"""Memory of splitting and fitting for each byte of the columns: ``bench/training.py`` measures it."""
ROW_BYTES = 48
"""Memory of a row besides its cells: its hash, its label, whether it is held out."""
TOKEN_BYTES = 96
"""Memory of a word in a text while a vectoriser counts them."""
NUMBER_BYTES = 8
MATRIX_COPIES = 3
"""Of the matrix that preparation makes: what scikit-learn puts side by side, the whole, and the estimator's own."""
PAGE_BYTES = resource.getpagesize()
GIB = 1 << 30
MIB = 1 << 20
M_ARENA_MAX = -8
"""The number of the option in malloc.h of glibc."""
ARENAS = 2
"""Each may keep what threads freed in it; with eight for each processor none is ever full."""


@dataclass(frozen=True, slots=True)
class Memory:
    """A limit and where it comes from.

    Attributes
    ----------
    limit : int
        Bytes that all of the container may use.
    whose : str
        Whose limit it is, for messages.
    taken : int
        Bytes that are in use whatever is read: the libraries, and what is in memory already.
    """

    limit: int
    whose: str
    taken: int = LIBRARIES

    @classmethod
    def of_this_process(cls, root: Path = ROOT) -> Self:
        """Read the lowest limit of the process's control groups, v2 or v1; without one, the machine's memory."""
        limits = [_machine(root / "proc/meminfo"), *_limits(root)]
        lowest = min(limits)
        whose = "this Job's memory limit" if lowest < limits[0] else "this machine's memory"
        return cls(lowest, whose, max(LIBRARIES, _in_use(root / "proc/self/statm")))

    def check_stored(self, size: int, name: str) -> None:
        """Refuse a file whose bytes alone do not fit, before they are fetched.

        Raises
        ------
        JobError
            OutOfMemory, with the size and the limit.
        """
        self._check(size + self.taken, f"{name} is {_spelled(size)}")

    def check(self, extent: Extent, *, held: int, name: str) -> None:
        """Refuse a table that does not fit: before it is read, and again once it is known exactly.

        Parameters
        ----------
        extent : Extent
            Of the columns that are read.
        held : int
            Bytes of the file, held while it is read.
        name : str
            What messages call the file.

        Raises
        ------
        JobError
            OutOfMemory, with the size and the limit.
        """
        size = extent.size
        needed = self.taken + max(COPIES * size + ROW_BYTES * extent.rows, held + size)
        self._check(needed, f"{name} takes {_spelled(size)} in memory once it is read")

    def check_words(self, words: int, what: str) -> None:
        """Refuse texts of so many words that they cannot be counted; ``what`` says whose they are."""
        self._check(self.taken + TOKEN_BYTES * words, f"{what} counts about {words:,} words")

    def check_dense(self, rows: int, columns: int, what: str, *, copies: float = MATRIX_COPIES) -> None:
        """Refuse a matrix that does not fit, before it is made.

        Parameters
        ----------
        rows, columns : int
            Its shape; all cells are float64.
        what : str
            The field, and what makes the columns.
        copies : float
            How often the matrix is in memory at once.

        Raises
        ------
        JobError
            OutOfMemory, with the size and the limit.
        """
        size = NUMBER_BYTES * rows * columns
        needed = self.taken + int(copies * size)
        if needed > self.limit:
            raise JobError(
                FailureReason.OUT_OF_MEMORY,
                f"{what} makes a matrix of {rows:,} rows and {columns:,} columns, which takes {_spelled(size)}, and "
                f"training on it about {_spelled(needed)}, but {self.whose} is {_spelled(self.limit)}. Have it make "
                "fewer columns, train on fewer rows, or set spec.training.template.resources.limits.memory to "
                f"{_enough(needed)}Gi.",
            )

    def check_pairs(self, rows: int, matrices: float, what: str) -> None:
        """Refuse matrices of all rows by all rows that do not fit, before they are made.

        Parameters
        ----------
        rows : int
            How many there are.
        matrices : float
            How many such matrices of float64 there are at once.
        what : str
            The field, and what compares the rows.

        Raises
        ------
        JobError
            OutOfMemory, with the size and the limit.
        """
        size = int(matrices * NUMBER_BYTES * rows**2)
        needed = self.taken + size
        if needed > self.limit:
            raise JobError(
                FailureReason.OUT_OF_MEMORY,
                f"{what} compares each of {rows:,} rows with each other one, which takes about {_spelled(size)}, but "
                f"{self.whose} is {_spelled(self.limit)}. Train on fewer rows, take an estimator whose memory grows "
                f"with the rows alone, or set spec.training.template.resources.limits.memory to {_enough(needed)}Gi.",
            )

    def _check(self, needed: int, what: str) -> None:
        if needed <= self.limit:
            return
        raise JobError(
            FailureReason.OUT_OF_MEMORY,
            f"{what}, and training on it takes about {_spelled(needed)}, but {self.whose} is {_spelled(self.limit)}. "
            f"Set spec.training.template.resources.limits.memory to {_enough(needed)}Gi, train on fewer rows, or name "
            "fewer columns in spec.data.features.",
        )


def keep_little_of_what_is_freed() -> None:
    """Have Arrow use the C library's allocator, and that few arenas: either keeps a third of a file's size for later.

    To be called before there are threads: an arena that is there stays.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    set_option = _of_the_c_library("mallopt")
    if set_option is not None:
        set_option(M_ARENA_MAX, ARENAS)


def hand_back() -> None:
    """Return to the system what Arrow and the C library keep of freed columns: half as much again as they held."""
    pa.default_memory_pool().release_unused()
    trim = _of_the_c_library("malloc_trim")
    if trim is not None:
        trim(0)


def _of_the_c_library(name: str) -> Callable[..., int] | None:
    """Return a function that glibc has, and others may not have."""
    return getattr(ctypes.CDLL(None), name, None)


def _enough(needed: int) -> int:
    """Return GiB with a quarter to spare."""
    return -(-needed * 5 // 4 // GIB)


def _spelled(size: int) -> str:
    return f"{size / GIB:.1f} GiB" if size >= GIB else f"{size / MIB:,.0f} MiB"


def _in_use(statm: Path) -> int:
    """Return what this process holds, without the pages of files, such as libraries, that can be read again."""
    pages = [int(word) for word in first_line(statm).split()]
    return (pages[1] - pages[2]) * PAGE_BYTES if pages else 0


def _machine(meminfo: Path) -> int:
    for line in meminfo.read_text().splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) << 10
    return UNLIMITED


def _limits(root: Path) -> list[int]:
    found = []
    for folder in folders(root, "memory"):
        for file in ("memory.max", "memory.limit_in_bytes"):
            text = first_line(folder / file)
            if text.isdecimal() and int(text) < UNLIMITED:
                found.append(int(text))
    return found
