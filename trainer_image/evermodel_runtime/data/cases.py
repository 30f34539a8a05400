"""By what a row is known again: its own hash, and where rows repeat, also how many equal ones came before it.

Among measurements two equal rows are one case twice, and a model that learnt one has seen the other. Among a few
categories they are cases of a kind: were each kind held out whole, a model would be judged on what it may never learn,
and no record of production would be new to it. So where a source holds each row several times, its rows are told apart
by their number among the equal ones, and records by the time at which they came.
"""

from __future__ import annotations

import numpy as np

from evermodel_runtime.data.rows import FeatureRows, Hashes, distinct, row_hashes

OFTEN = 4
"""Times that a source holds each row, on average, before equal rows are different cases."""
_SOURCE, _RECORDS = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)
_MIX = np.uint64(0x94D049BB133111EB)
_HALF = np.uint64(31)


def rows_repeat(hashes: Hashes) -> bool:
    """Tell whether each row is there several times."""
    return len(distinct(hashes)) * OFTEN <= len(hashes)


def hashes_of_source(hashes: Hashes) -> Hashes:
    """Return by what the rows of a source are known, from their own hashes."""
    return _numbered(hashes, _SOURCE) if rows_repeat(hashes) else hashes


def hashes_of_records(records: FeatureRows, *, repeated: bool) -> Hashes:
    """Return by what labelled records are known, of a model whose source's rows are ``repeated``."""
    hashes = row_hashes(records)
    return _numbered(hashes, _RECORDS) if repeated else hashes


def _numbered(hashes: Hashes, salt: np.uint64) -> Hashes:
    """Mix each hash with its number among the equal ones."""
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    first = np.searchsorted(ordered, ordered, side="left")
    number = np.empty(len(hashes), dtype=np.uint64)
    number[order] = (np.arange(len(hashes)) - first + 1).astype(np.uint64)
    mixed = (hashes ^ (number * salt)) * _MIX  # modulo 2^64
    return mixed ^ (mixed >> _HALF)
