"""Prediction ids that carry what a label needs to be scored, signed, so that no prediction has to be stored.

An id is a signature and what it signs, a payload in MessagePack, spelled in base64. Of one prediction the signature is
HMAC-SHA256 (RFC 2104). Rows of one request are signed together in a tenth of the time: the signature is a keyed hash of
the payload, which rows of one class share, xor a pad of the row's own, which stands before the payload as a number. No
pad is used twice, so a signature tells neither hash nor pad, and none can be made of those that were issued.

References
----------
Wegman, M. N. and Carter, J. L. (1981), New hash functions and their use in authentication and set equality, section 4.
"""

from __future__ import annotations

import hashlib
import hmac
from binascii import a2b_base64, b2a_base64
from collections.abc import Sequence
from enum import StrEnum

import msgspec

MAC_BYTES = 12
LONGEST_ID = 1024
"""Characters beyond which a text is no id of ours."""
LONGEST_LABEL = 128
"""Bytes of a class's text beyond which its digest stands for it."""


class Issued(msgspec.Struct, frozen=True, kw_only=True):  # made for each label: a dataclass takes 2 µs more
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


class _Request(msgspec.Struct, array_like=True):
    model: str
    version: int
    at_ms: int
    nonce: bytes


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

ROW_MARK = b"\x01"
"""What follows the signature in the id of a row; a payload begins otherwise."""
ROW_BYTES = len(ROW_MARK) + 2
"""Of the mark, and of the row's number, which follows it from the highest byte."""
ROW_NONCE_BYTES = 8
_SPONGE_BYTES = 168
"""What SHAKE128 takes in and gives out at a time."""
_PADS_AT_ONCE = 6 * _SPONGE_BYTES // MAC_BYTES
"""Whoever verifies one row makes the pads of that many, in 2 µs; whoever issues a thousand asks twelve times."""


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

    __slots__ = ("_inner", "_model", "_outer", "_sponge")

    def __init__(self, token: str, model: str) -> None:
        key = hmac.digest(token.encode(), b"prediction-id", "sha256").ljust(_BLOCK_BYTES, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in key))
        row_key = hmac.digest(token.encode(), b"prediction-id of a row", "sha256")
        self._sponge = hashlib.shake_128(row_key.ljust(_SPONGE_BYTES, b"\0"))  # FIPS 202, keyed by prefix
        self._model = model

    def issue(self, version: int, at: float, predicted: str | float, nonce: bytes) -> str:
        """Make the id of one prediction, a class's text or a number; ``nonce`` is eight random bytes."""
        kept = compact_label(predicted) if isinstance(predicted, str) else predicted
        payload = _ENCODER.encode(_Payload(self._model, version, round(at * 1000), nonce, kept))
        return spell(self._sign(payload) + payload)

    def row_payloads(self, version: int, at: float, each: Sequence[str | float], nonce: bytes) -> list[bytes]:
        """Return what rows of one request share that have the same prediction, for each of the predictions.

        All are as long, a multiple of three, so that base64 spells the ids of many rows at once: bytes are added to the
        nonce until they are.
        """
        made = [
            _Payload(self._model, version, round(at * 1000), nonce, compact_label(one) if isinstance(one, str) else one)
            for one in each
        ]
        lengths = [len(_ENCODER.encode(payload)) for payload in made]
        length = -(-max(lengths) // 3) * 3
        for payload, short in zip(made, lengths, strict=True):
            payload.nonce += bytes(length - short)  # less than 256 in all, so that the length of the length stays
        return [_ENCODER.encode(payload) for payload in made]

    def row_hash(self, payload: bytes) -> bytes:
        """Return the hash that the signatures of rows with this payload have in them."""
        return self._squeezed(b"hash", payload, MAC_BYTES)

    def row_pads(self, version: int, at: float, nonce: bytes, rows: int) -> bytes:
        """Return the pads of at least the first rows of a request; ``nonce`` is eight random bytes."""
        request = _ENCODER.encode(_Request(self._model, version, round(at * 1000), nonce))
        return b"".join([self._pads(request, number) for number in range(-(-rows // _PADS_AT_ONCE))])

    def verify(self, prediction_id: str) -> Issued | Refusal:
        """Read an id, or say why it cannot be one of this model's."""
        if len(prediction_id) > LONGEST_ID:
            return Refusal.FORGED
        try:
            raw = a2b_base64(prediction_id.replace("-", "+").replace("_", "/") + "=" * (-len(prediction_id) % 4))
            signed = raw[MAC_BYTES:]
            of_row = signed.startswith(ROW_MARK)
            payload = _DECODER.decode(signed[ROW_BYTES:] if of_row else signed)
        except (ValueError, msgspec.MsgspecError):
            return Refusal.FORGED
        if payload.model != self._model:
            return Refusal.FOREIGN
        # Base64 has many spellings of the same bytes: any but ours would let one prediction be labelled twice.
        mac = raw[:MAC_BYTES]
        right = self._sign_row(signed, payload) if of_row else self._sign(signed)
        if spell(raw) != prediction_id or not hmac.compare_digest(right, mac):
            return Refusal.FORGED
        return Issued(
            version=payload.version,
            at=payload.at_ms / 1000,
            predicted=payload.predicted,
            key=spell(payload.at_ms.to_bytes(_TIME_BYTES, "big") + mac),
        )

    def _sign_row(self, signed: bytes, payload: _Payload) -> bytes:
        request = _Request(payload.model, payload.version, payload.at_ms, payload.nonce[:ROW_NONCE_BYTES])
        number, place = divmod(int.from_bytes(signed[len(ROW_MARK) : ROW_BYTES], "big"), _PADS_AT_ONCE)
        pad = self._pads(_ENCODER.encode(request), number)[place * MAC_BYTES : (place + 1) * MAC_BYTES]
        return (int.from_bytes(self.row_hash(signed[ROW_BYTES:])) ^ int.from_bytes(pad)).to_bytes(MAC_BYTES)

    def _pads(self, request: bytes, number: int) -> bytes:
        """Return the pads of neighbouring rows."""
        return self._squeezed(b"pads", number.to_bytes(2, "big") + request, _PADS_AT_ONCE * MAC_BYTES)

    def _squeezed(self, purpose: bytes, content: bytes, length: int) -> bytes:
        sponge = self._sponge.copy()
        sponge.update(purpose + content)
        return sponge.digest(length)

    def _sign(self, payload: bytes) -> bytes:
        """Return HMAC-SHA256 (RFC 2104), from hashes that have read the key: half the time of hmac's own copy."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(payload)
        outer.update(inner.digest())
        return outer.digest()[:MAC_BYTES]


def spell(raw: bytes) -> str:
    """Spell bytes as ids and URLs have them."""
    spelled = b2a_base64(raw, newline=False).rstrip(b"=")
    return spelled.replace(b"+", b"-").replace(b"/", b"_").decode()  # quicker than to look up every character
