"""Ids for the rows of each answer."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import overload

import msgspec
import numpy as np
from numpy.typing import NDArray

from evermodel_runtime.quality.prediction_id import MAC_BYTES, ROW_BYTES, ROW_MARK, ROW_NONCE_BYTES, Signer, spell
from evermodel_runtime.serve.prediction import Prediction

NONCE_BYTES = 8
NONCES_AT_ONCE = 512
ROWS_OF_EACH = 16
"""Rows for each different prediction from which on it is quicker to sign them together."""
MOST_ROWS = 1 << 16
"""Rows that two bytes can number: a pad that is used twice would give both hashes away."""

_NUMBERS = np.arange(MOST_ROWS, dtype=">u4").view(np.uint8).reshape(-1, 4)[:, 1:].copy()
_NUMBERS[:, 0] = ord(ROW_MARK)
"""What stands in an id between signature and payload: mark and number of the row, from the highest byte."""
_HEAD = np.dtype(f"V{(MAC_BYTES + ROW_BYTES) // 3 * 4}")
"""Signature, mark and number as an id spells them."""


class PredictionIds:
    """Issues signed ids, drawing random bytes for many at once."""

    def __init__(self, signer: Signer, version: int, entropy: Callable[[int], bytes] = os.urandom) -> None:
        self._signer = signer
        self._version = version
        self._entropy = entropy
        self._block = b""
        self._at = 0

    def issue(self, prediction: Prediction, at: float) -> Sequence[str]:
        """Return one id for each row."""
        rows = prediction.rows
        if ROWS_OF_EACH <= rows <= MOST_ROWS:
            each, kinds = prediction.distinct()
            if rows >= ROWS_OF_EACH * len(each):
                return self._issue_together(each, kinds, at)
        return [self._signer.issue(self._version, at, one, self._nonce()) for one in prediction.signed]

    def _issue_together(self, each: Sequence[str | float], kinds: NDArray[np.intp], at: float) -> "RowIds":
        rows = len(kinds)
        nonce = self._entropy(ROW_NONCE_BYTES)
        payloads = self._signer.row_payloads(self._version, at, each, nonce)
        hashes = _matrix([self._signer.row_hash(payload) for payload in payloads])
        pads = np.frombuffer(self._signer.row_pads(self._version, at, nonce, rows), np.uint8).reshape(-1, MAC_BYTES)
        heads = np.empty((rows, MAC_BYTES + ROW_BYTES), np.uint8)
        np.bitwise_xor(hashes.take(kinds, axis=0), pads[:rows], out=heads[:, :MAC_BYTES])
        heads[:, MAC_BYTES:] = _NUMBERS[:rows]
        # Three bytes are four characters, and both parts so many bytes: a payload is spelled once for each class.
        rests = _items([spell(payload).encode() + RowIds.SEPARATOR for payload in payloads])
        ids = np.empty(rows, [("head", _HEAD), ("rest", rests.dtype)])
        ids["head"] = np.frombuffer(spell(heads.tobytes()).encode(), _HEAD)
        ids["rest"] = rests.take(kinds)
        return RowIds(ids.tobytes(), ids.itemsize)

    def _nonce(self) -> bytes:
        if self._at >= len(self._block):
            self._block = self._entropy(NONCE_BYTES * NONCES_AT_ONCE)
            self._at = 0
        start = self._at
        self._at = start + NONCE_BYTES
        return self._block[start : self._at]


class RowIds(Sequence[str]):
    """Ids of one length, side by side as a list in JSON has them: a text of its own is made of one that is read."""

    SEPARATOR = b'","'

    def __init__(self, spelled: bytes, stride: int) -> None:
        self._spelled = spelled
        """Each followed by the separator."""
        self._stride = stride

    def __len__(self) -> int:
        return len(self._spelled) // self._stride

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return list(self)[place]
        start = range(0, len(self._spelled), self._stride)[place]
        return self._spelled[start : start + self._stride - len(self.SEPARATOR)].decode("ascii")

    def __iter__(self) -> Iterator[str]:
        separator = self.SEPARATOR.decode("ascii")
        return iter(self._spelled.decode("ascii").split(separator)[:-1])

    def as_json(self) -> msgspec.Raw:
        """Return the list in JSON."""
        return msgspec.Raw(b"".join((b'["', memoryview(self._spelled)[: 1 - len(self.SEPARATOR)], b"]")))


def _matrix(rows: Sequence[bytes]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), -1)


def _items(rows: Sequence[bytes]) -> NDArray[np.void]:
    """Return each row, all of one length, as one element."""
    return np.frombuffer(b"".join(rows), f"V{len(rows[0])}")
