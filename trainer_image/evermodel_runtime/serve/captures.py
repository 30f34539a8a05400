"""Raw rows of predictions that wait for the hub, bounded in memory."""

from collections import deque
from dataclasses import dataclass

from evermodel.contract import Capture, Scalar

DEFAULT_MAX_ROWS = 20_000
DEFAULT_MAX_BYTES = 64 * 1024 * 1024
_CELL_BYTES = 32
"""A float in a tuple: 8 bytes of pointer and 24 of object."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The oldest captures, and the number up to which they are done once the hub has them."""

    captures: tuple[Capture, ...]
    through: int


class CaptureBuffer:
    """Keeps captures until the hub acknowledged them; when full, the oldest give way and are counted."""

    def __init__(self, max_rows: int = DEFAULT_MAX_ROWS, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self._waiting: deque[tuple[str, tuple[Scalar, ...], int]] = deque()
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        self._bytes = 0
        self._removed = 0
        self.dropped = 0
        """Captures that the hub never got."""

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, prediction_id: str, row: tuple[Scalar, ...], text_bytes: int = 0) -> None:
        """Keep one row; ``text_bytes`` is the length of its texts."""
        size = _CELL_BYTES * len(row) + text_bytes
        self._waiting.append((prediction_id, row, size))
        self._bytes += size
        while self._waiting and (len(self._waiting) > self._max_rows or self._bytes > self._max_bytes):
            self._remove_oldest()
            self.dropped += 1

    def oldest(self, rows: int) -> Batch:
        """Return up to ``rows`` of the oldest captures; they stay here until ``acknowledge``."""
        count = min(rows, len(self._waiting))
        captures = tuple(
            Capture(id=prediction_id, row=row)
            for prediction_id, row, _ in (self._waiting[index] for index in range(count))
        )
        return Batch(captures, self._removed + count)

    def acknowledge(self, batch: Batch) -> None:
        """Forget a batch that the hub has on disk."""
        while self._waiting and self._removed < batch.through:
            self._remove_oldest()

    def give_up(self, batch: Batch) -> None:
        """Forget a batch that the hub will never take, and count it as dropped."""
        before = self._removed
        self.acknowledge(batch)
        self.dropped += self._removed - before

    def _remove_oldest(self) -> None:
        _, _, size = self._waiting.popleft()
        self._bytes -= size
        self._removed += 1
