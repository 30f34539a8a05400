"""What of a captured row stays in the pod: values that are dropped, and those that leave it as a keyed hash."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from evermodel.contract import CaptureRules, Scalar, label_text

HASH_PREFIX = "hmac:"
_HEX_DIGITS = 32


class UnknownColumnsError(Exception):
    """The rules name columns that the model does not take; the message names them."""


class _Fate(Enum):
    KEPT = auto()
    DROPPED = auto()
    HASHED = auto()


@dataclass(frozen=True, slots=True)
class Withholding:
    """Takes out of rows what the rules withhold.

    Parameters
    ----------
    names : sequence of str
        The model's columns, in the order of a row's values.
    rules : CaptureRules
        Which of them to drop and to hash.
    token : str
        The model's server token; the key of the hashes is derived from it.

    Raises
    ------
    UnknownColumnsError
        The rules name others: perhaps a name is misspelt, and the column that was meant would leave the pod.
    """

    _columns: tuple[tuple[str, _Fate], ...]
    _key: bytes

    @classmethod
    def of(cls, names: Sequence[str], rules: CaptureRules, token: str) -> Withholding:
        """Prepare for rows of these columns."""
        if unknown := [name for name in rules.withheld if name not in names]:
            raise UnknownColumnsError(
                f"monitoring.capture withholds {', '.join(map(repr, unknown))}, which the model does not take: nothing "
                "is captured, since another column may be meant"
            )
        fates = dict.fromkeys(rules.drop, _Fate.DROPPED) | dict.fromkeys(rules.hash, _Fate.HASHED)
        columns = tuple((name, fates.get(name, _Fate.KEPT)) for name in names)
        return cls(columns, hmac.digest(token.encode(), b"captured values", "sha256"))

    def without(self, row: Sequence[Scalar]) -> tuple[Scalar | None, ...]:
        """Return the row with what may leave the pod."""
        return tuple(
            value if fate is _Fate.KEPT else None if fate is _Fate.DROPPED else self._hashed(name, value)
            for (name, fate), value in zip(self._columns, row, strict=True)
        )

    def _hashed(self, name: str, value: Scalar) -> str | None:
        """Return one text for equal values of one column; a value that is missing stays missing."""
        if value in ("", None) or value != value:  # noqa: PLR0124 - NaN, a number that the caller left out
            return None
        spelled = f"{name}\0{label_text(value)}"
        return HASH_PREFIX + hmac.digest(self._key, spelled.encode(), "sha256").hex()[:_HEX_DIGITS]
