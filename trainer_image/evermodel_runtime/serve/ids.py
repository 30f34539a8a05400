"""Ids for the rows of each answer."""

import os
from collections.abc import Callable, Sequence

import numpy as np

from evermodel_runtime.quality.prediction_id import MAC_BYTES, ROW_BYTES, ROW_MARK, ROW_NONCE_BYTES, Signer, spell

NONCE_BYTES = 8
NONCES_AT_ONCE = 512
ROWS_OF_EACH = 16
"""Rows for each different prediction from which on it is quicker to sign them together."""
MOST_ROWS = 1 << 16
"""Rows that two bytes can number: a pad that is used twice would give both hashes away."""


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
        stream = self._signer.row_pads(self._version, at, nonce, len(predicted))
        pads = np.frombuffer(stream, np.uint8).reshape(-1, MAC_BYTES)
        numbers = np.arange(len(predicted), dtype=">u2")
        ids = [""] * len(predicted)
        places = {one: kind for kind, one in enumerate(each)}
        kinds = np.array([places[one] for one in predicted])
        for kind, one in enumerate(each):
            rows = np.flatnonzero(kinds == kind)
            payload = self._signer.row_payload(self._version, at, one, nonce)
            raw = np.empty((len(rows), MAC_BYTES + ROW_BYTES + len(payload)), np.uint8)
            raw[:, :MAC_BYTES] = pads.take(rows, axis=0) ^ np.frombuffer(self._signer.row_hash(payload), np.uint8)
            raw[:, MAC_BYTES] = ord(ROW_MARK)
            raw[:, MAC_BYTES + 1 : MAC_BYTES + ROW_BYTES] = numbers[rows].view(np.uint8).reshape(-1, 2)
            raw[:, MAC_BYTES + ROW_BYTES :] = np.frombuffer(payload, np.uint8)
            text, length = spell(raw.tobytes()), raw.shape[1] // 3 * 4
            for start, row in zip(range(0, len(text), length), rows.tolist(), strict=True):
                ids[row] = text[start : start + length]
        return ids

    def _nonce(self) -> bytes:
        if self._at >= len(self._block):
            self._block = self._entropy(NONCE_BYTES * NONCES_AT_ONCE)
            self._at = 0
        start = self._at
        self._at = start + NONCE_BYTES
        return self._block[start : self._at]
