"""Raw rows of predictions that wait for the hub, bounded in memory and by what the hub can take."""

import random
from array import array
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from evermodel.contract import Capture, CaptureRules, Scalar
from evermodel_runtime.serve.rows import Rows
from evermodel_runtime.serve.withholding import Withholding

DEFAULT_MAX_ROWS = 20_000
DEFAULT_MAX_BYTES = 64 * 1024 * 1024
_CELL_BYTES = 32
"""A text in a tuple, without its characters, or a number with its share of what a row takes besides."""


ROWS_PER_SECOND = 500.0
ROWS_AT_ONCE = 5_000.0
"""Ten seconds' worth: a batch by the hour is captured whole."""


class Allowance:
    """How many rows may be captured: some each second, and many at once after a quiet time.

    A pod answers more rows than one hub could store for all of them, and the hub keeps a number of the newest: without
    a bound it would hold all of the last seconds, of which hardly a label comes in time.
    """

    def __init__(self, per_second: float = ROWS_PER_SECOND, at_once: float = ROWS_AT_ONCE) -> None:
        self._per_second = per_second
        self._at_once = at_once
        self._left = at_once
        self._at = 0.0
        self.passed_over = 0
        """Rows that were beyond it."""

    def chosen(self, rows: int, now: float) -> Sequence[int]:
        """Return which of the rows of a request to capture: all, or as many as there may be, drawn at random.

        Parameters
        ----------
        rows : int
            How many there are.
        now : float
            Seconds on a clock that never goes back.
        """
        left = min(self._at_once, self._left + (now - self._at) * self._per_second)
        self._at = now
        count = min(rows, int(left))
        self._left = left - count
        if count == rows:
            return range(rows)
        self.passed_over += rows - count
        if not count:
            return ()
        return random.sample(range(rows), count)


@dataclass(frozen=True, slots=True)
class Batch:
    """The oldest captures, and the number up to which they are done once the hub has them."""

    captures: tuple[Capture, ...]
    through: int


EVERYTHING = CaptureRules()


class CaptureBuffer:
    """Keeps captures until the hub acknowledged them; when full, the oldest give way and are counted."""

    def __init__(
        self,
        rules: CaptureRules = EVERYTHING,
        *,
        max_rows: int = DEFAULT_MAX_ROWS,
        max_bytes: int = DEFAULT_MAX_BYTES,
    ) -> None:
        self.rules = rules
        self.allowance = Allowance()
        self.withholding: Withholding | None = None
        """Set before the first row comes where the rules withhold anything."""
        self._waiting: deque[tuple[str, str | None, Sequence[Scalar | None], int]] = deque()
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        self._bytes = 0
        self._removed = 0
        self.dropped = 0
        """Captures that the hub never got."""

    def __len__(self) -> int:
        return len(self._waiting)

    def keep(self, ids: Sequence[str], rows: Rows, now: float, callers: Sequence[str] | None = None) -> None:
        """Keep the rows of one request, or those of them that there is room for.

        Parameters
        ----------
        ids : sequence of str
            One for each row.
        rows : Rows
            What was received.
        now : float
            Seconds on a clock that never goes back.
        callers : sequence of str, optional
            What the caller calls the rows.
        """
        sampled = self._sampled(rows.count)
        places = [sampled[place] for place in self.allowance.chosen(len(sampled), now)]
        if not places:
            return
        for place, row in zip(places, rows.as_received(places), strict=True):
            caller = None if callers is None else callers[place]
            texts = sum(len(column[place]) for column in rows.texts) + len(caller or "")
            self.add(ids[place], self._kept(rows, row), texts, caller)

    def _sampled(self, rows: int) -> Sequence[int]:
        """Return which rows the rules want, each by itself, so that large requests are worth what small ones are."""
        share = self.rules.sample
        return range(rows) if share == 1 else [row for row in range(rows) if random.random() < share]  # noqa: S311 - no secret

    def _kept(self, rows: Rows, row: tuple[Scalar, ...]) -> Sequence[Scalar | None]:
        if self.withholding is not None:
            return self.withholding.without(row)
        # An array takes a quarter of the memory.
        return row if rows.texts else array("d", row)  # type: ignore[type-var]  # without texts all are numbers

    def add(
        self, prediction_id: str, row: Sequence[Scalar | None], text_bytes: int = 0, caller: str | None = None
    ) -> None:
        """Keep one row; ``text_bytes`` is the length of its texts."""
        size = _CELL_BYTES * len(row) + text_bytes
        self._waiting.append((prediction_id, caller, row, size))
        self._bytes += size
        while self._waiting and (len(self._waiting) > self._max_rows or self._bytes > self._max_bytes):
            self._remove_oldest()
            self.dropped += 1

    def oldest(self, rows: int) -> Batch:
        """Return up to ``rows`` of the oldest captures; they stay here until ``acknowledge``."""
        count = min(rows, len(self._waiting))
        captures = tuple(
            Capture(id=prediction_id, row=tuple(row), caller=caller)
            for prediction_id, caller, row, _ in (self._waiting[index] for index in range(count))
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
        _, _, _, size = self._waiting.popleft()
        self._bytes -= size
        self._removed += 1
