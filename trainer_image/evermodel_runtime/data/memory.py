"""How much memory this Job may use, and whether a file fits: said before the node kills the pod for it."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pyarrow as pa

from evermodel.contract import FailureReason
from evermodel_runtime.data.cgroups import ROOT, first_line, folders
from evermodel_runtime.data.failure import JobError

UNLIMITED = 1 << 60
"""cgroup v1 writes a number of this size where there is no limit."""
LIBRARIES = 220 << 20
"""What scikit-learn, ONNX and their libraries take once they are imported."""
COPIES = 4
"""Memory of splitting and fitting for each byte of the columns: ``bench/training.py`` measures it."""
NUMBER_BYTES = 8
MATRIX_COPIES = 3
"""Of the matrix that preparation makes: what scikit-learn puts side by side, the whole, and the estimator's own."""
GIB = 1 << 30
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Memory:
    """A limit and where it comes from.

    Attributes
    ----------
    limit : int
        Bytes that all of the container may use.
    whose : str
        Whose limit it is, for messages.
    """

    limit: int
    whose: str

    @classmethod
    def of_this_process(cls, root: Path = ROOT) -> Self:
        """Read the lowest limit of the process's control groups, v2 or v1; without one, the machine's memory."""
        limits = [_machine(root / "proc/meminfo"), *_limits(root)]
        lowest = min(limits)
        return cls(lowest, "this Job's memory limit" if lowest < limits[0] else "this machine's memory")

    def check_stored(self, size: int, name: str) -> None:
        """Refuse a file whose bytes alone do not fit, before they are fetched.

        Raises
        ------
        JobError
            OutOfMemory, with the size and the limit.
        """
        self._check(size + LIBRARIES, f"{name} is {_spelled(size)}")

    def check(self, columns: int, *, held: int, name: str) -> None:
        """Refuse columns that do not fit, before they are read.

        Parameters
        ----------
        columns : int
            Bytes of the columns in memory.
        held : int
            Bytes of the file, held while it is read.
        name : str
            What messages call the file.

        Raises
        ------
        JobError
            OutOfMemory, with the size and the limit.
        """
        needed = LIBRARIES + max(int(COPIES * columns), held + columns)
        self._check(needed, f"{name} takes {_spelled(columns)} in memory once it is read")

    def check_dense(self, rows: int, columns: int, what: str) -> None:
        """Refuse a matrix that does not fit, before it is made.

        Parameters
        ----------
        rows, columns : int
            Its shape; all cells are float64.
        what : str
            The field that is to be lowered, and what makes the columns.

        Raises
        ------
        JobError
            OutOfMemory, with the size and the limit.
        """
        size = NUMBER_BYTES * rows * columns
        needed = LIBRARIES + MATRIX_COPIES * size
        if needed > self.limit:
            raise JobError(
                FailureReason.OUT_OF_MEMORY,
                f"{what} makes a matrix of {rows:,} rows and {columns:,} columns, which takes {_spelled(size)}, and "
                f"training on it about {_spelled(needed)}, but {self.whose} is {_spelled(self.limit)}. Lower it, train "
                f"on fewer rows, or set spec.training.template.resources.limits.memory to {_enough(needed)}Gi.",
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


def hand_back() -> None:
    """Return to the system what Arrow and the C library keep of freed columns: half as much again as they held."""
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other C libraries than glibc have none
    if trim is not None:
        trim(0)


def _enough(needed: int) -> int:
    """Return GiB with a quarter to spare."""
    return -(-needed * 5 // 4 // GIB)


def _spelled(size: int) -> str:
    return f"{size / GIB:.1f} GiB" if size >= GIB else f"{size / MIB:,.0f} MiB"


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
