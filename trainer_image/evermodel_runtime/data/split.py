"""Which rows are held out. Membership depends on the row alone, so it stays the same while the source grows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import numpy as np

from evermodel_runtime.data.rows import ROWS_AT_ONCE, Hashes, Mask

SALT = b"reference"


def held_out(keys: Iterable[bytes], fraction: float) -> Mask:
    """Return whether each key is of the reference set: its salted hash, taken as in [0, 1), is below ``fraction``."""
    salted = hashlib.blake2b(digest_size=8, person=SALT)
    digests = bytearray()
    for key in keys:
        one = salted.copy()
        one.update(key)
        digests += one.digest()
    return np.frombuffer(digests, dtype="<u8") < np.uint64(fraction * 2**64)


def keys_of_ids(ids: Iterable[str]) -> Iterator[bytes]:
    """Make split keys from the values of the idColumn."""
    return (name.encode() for name in ids)


def keys_of_rows(hashes: Hashes) -> Iterator[bytes]:
    """Make split keys from row hashes, where there is no idColumn: equal rows fall on the same side."""
    content = hashes.astype("<u8").view("V8")
    for start in range(0, len(content), ROWS_AT_ONCE):
        yield from content[start : start + ROWS_AT_ONCE].tolist()
