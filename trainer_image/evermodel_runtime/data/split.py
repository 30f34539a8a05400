"""Which rows are held out. Membership depends on the row alone, so it stays the same while the source grows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

from evermodel_runtime.data.rows import Hashes, Mask

SALT = b"reference"


def held_out(keys: Iterable[bytes], fraction: float) -> Mask:
    """Return whether each key is of the reference set: its salted hash, taken as in [0, 1), is below ``fraction``."""
    limit = int(fraction * 2**64)
    return np.array([_number(key) < limit for key in keys], dtype=np.bool_)


def keys_of_ids(ids: Iterable[str]) -> list[bytes]:
    """Make split keys from the values of the idColumn."""
    return [name.encode() for name in ids]


def keys_of_rows(hashes: Hashes) -> list[bytes]:
    """Make split keys from row hashes, where there is no idColumn: equal rows fall on the same side."""
    return [int(value).to_bytes(8, "little") for value in hashes]


def _number(key: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(key, digest_size=8, person=SALT).digest(), "little")
