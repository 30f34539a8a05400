"""Ids for the rows of each answer."""

import os
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from evermodel_runtime.quality.prediction_id import MAC_BYTES, ROW_BYTES, ROW_MARK, ROW_NONCE_BYTES, Signer, spell

NONCE_BYTES = 8
NONCES_AT_ONCE = 512
ROWS_OF_EACH = 16
"""Rows for each different prediction from which on it is quicker to sign them together."""
MOST_ROWS = 1 << 16
"""Rows that two bytes can number: a pad that is used twice would give both hashes away."""

_NUMBERS = np.arange(MOST_ROWS, dtype=">u2").view(np.uint8).reshape(-1, 2)
"""Of rows, from the highest byte."""


class PredictionIds:
    """Issues signed ids, drawing random bytes for many at once."""

    def __init__(self, signer: Signer, version: int, entropy: Callable[[int], bytes] = os.urandom) -> None:
        self._signer = signer
        self._version = version
        self._entropy = entropy
        self._block = b""
        self._at = 0

    def issue(self, predicted: Sequence[str] | Sequence[float], at: float) -> list[str]:
        """Return one id for each predicted class or number."""
        if ROWS_OF_EACH <= len(predicted) <= MOST_ROWS:
            each: dict[str | float, None] = dict.fromkeys(predicted)
            if len(predicted) >= ROWS_OF_EACH * len(each):
                return self._issue_together(predicted, list(each), at)
        return [self._signer.issue(self._version, at, one, self._nonce()) for one in predicted]

    def _issue_together(
        self, predicted: Sequence[str] | Sequence[float], each: Sequence[str | float], at: float
    ) -> list[str]:
        nonce = self._entropy(ROW_NONCE_BYTES)
        payloads = self._signer.row_payloads(self._version, at, each, nonce)
        hashes = [self._signer.row_hash(payload) for payload in payloads]
        stream = self._signer.row_pads(self._version, at, nonce, len(predicted))
        pads = np.frombuffer(stream, np.uint8).reshape(-1, MAC_BYTES)[: len(predicted)]
        places = {one: kind for kind, one in enumerate(each)}
        kinds = np.fromiter(map(places.__getitem__, predicted), np.intp, len(predicted))
        heads = np.empty((len(predicted), MAC_BYTES + ROW_BYTES), np.uint8)
        heads[:, :MAC_BYTES] = _matrix(hashes)[kinds] ^ pads
        heads[:, MAC_BYTES] = ord(ROW_MARK)
        heads[:, MAC_BYTES + 1 :] = _NUMBERS[: len(predicted)]
        # Three bytes are four characters, and both parts so many bytes: a payload is spelled once for each class.
        spelled = np.frombuffer(spell(heads.tobytes()).encode(), np.uint8).reshape(len(heads), -1)
        rest = _matrix([spell(payload).encode() + b"\n" for payload in payloads])
        lines = np.concatenate([spelled, rest[kinds]], axis=1)
        return lines.tobytes().decode("ascii").split("\n")[:-1]

    def _nonce(self) -> bytes:
        if self._at >= len(self._block):
            self._block = self._entropy(NONCE_BYTES * NONCES_AT_ONCE)
            self._at = 0
        start = self._at
        self._at = start + NONCE_BYTES
        return self._block[start : self._at]


def _matrix(rows: Sequence[bytes]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), -1)
