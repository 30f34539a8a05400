"""Prediction ids that carry what a label needs to be scored, signed, so that no prediction has to be stored."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from enum import StrEnum

import msgspec

MAC_BYTES = 12
LONGEST_ID = 1024
"""Characters beyond which a text is no id of ours."""
LONGEST_LABEL = 128
"""Bytes of a class's text beyond which its digest stands for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """What an id says about its prediction."""

    version: int
    at: float
    """When it was made, seconds since the epoch, to the millisecond."""
    predicted: str | float
    """Text of the predicted class, or its digest when that is long: compare with ``compact_label``. Or a number."""
    key: str
    """What tells this prediction from all others of its model: 24 characters, those of one time side by side."""


class Refusal(StrEnum):
    """Why an id is not accepted."""

    FORGED = "Forged"
    FOREIGN = "Foreign"


class _Payload(msgspec.Struct, array_like=True):
    model: str
    version: int
    at_ms: int
    nonce: bytes
    predicted: str | float


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Payload)
_TIME_BYTES = 6
_BLOCK_BYTES = 64


def compact_label(text: str) -> str:
    """Text of a class as an id holds it."""
    encoded = text.encode()
    return text if len(encoded) <= LONGEST_LABEL else "sha256:" + hashlib.sha256(encoded).hexdigest()


class Signer:
    """Issues and verifies the ids of one model.

    Parameters
    ----------
    token : str
        The model's server token; the signing key is derived from it.
    model : str
        Name of the model.
    """

    __slots__ = ("_inner", "_model", "_outer")

    def __init__(self, token: str, model: str) -> None:
        key = hmac.digest(token.encode(), b"prediction-id", "sha256").ljust(_BLOCK_BYTES, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in key))
        self._model = model

    def issue(self, version: int, at: float, predicted: str | float, nonce: bytes) -> str:
        """Make the id of one prediction, a class's text or a number; ``nonce`` is eight random bytes."""
        kept = compact_label(predicted) if isinstance(predicted, str) else predicted
        payload = _ENCODER.encode(_Payload(self._model, version, round(at * 1000), nonce, kept))
        return _spell(self._sign(payload) + payload)

    def verify(self, prediction_id: str) -> Issued | Refusal:
        """Read an id, or say why it cannot be one of this model's."""
        if len(prediction_id) > LONGEST_ID:
            return Refusal.FORGED
        try:
            raw = urlsafe_b64decode(prediction_id + "=" * (-len(prediction_id) % 4))
            payload = _DECODER.decode(raw[MAC_BYTES:])
        except (ValueError, msgspec.MsgspecError):
            return Refusal.FORGED
        if payload.model != self._model:
            return Refusal.FOREIGN
        # Base64 has many spellings of the same bytes: any but ours would let one prediction be labelled twice.
        mac = raw[:MAC_BYTES]
        if _spell(raw) != prediction_id or not hmac.compare_digest(self._sign(raw[MAC_BYTES:]), mac):
            return Refusal.FORGED
        return Issued(
            version=payload.version,
            at=payload.at_ms / 1000,
            predicted=payload.predicted,
            key=_spell(payload.at_ms.to_bytes(_TIME_BYTES, "big") + mac),
        )

    def _sign(self, payload: bytes) -> bytes:
        """Return HMAC-SHA256 (RFC 2104), from hashes that have read the key: half the time of hmac's own copy."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(payload)
        outer.update(inner.digest())
        return outer.digest()[:MAC_BYTES]


def _spell(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
