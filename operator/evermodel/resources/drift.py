"""Was an object changed by hand? Each field that is applied must still be there, with its value.

What others added beside the operator's fields is theirs. The API server writes quantities its own way (1000m becomes
1) and leaves empty values out; both are read as the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from evermodel.core.builders import fingerprint
from evermodel.core.names import APPLIED_ANNOTATION

_SUFFIXES: Final = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1),
    "k": Decimal("1e3"), "M": Decimal("1e6"), "G": Decimal("1e9"), "T": Decimal("1e12"), "P": Decimal("1e15"),
    "E": Decimal("1e18"), "Ki": Decimal(2) ** 10, "Mi": Decimal(2) ** 20, "Gi": Decimal(2) ** 30,
    "Ti": Decimal(2) ** 40, "Pi": Decimal(2) ** 50, "Ei": Decimal(2) ** 60,
}  # fmt: skip
_QUANTITIES: Final = frozenset({"requests", "limits"})
"""Fields whose values are quantities."""
_EMPTY: Final[tuple[Any, ...]] = (None, "", {}, [])


def is_drifted(found: Mapping[str, Any], built: Mapping[str, Any]) -> bool:
    """Tell whether an observed object lacks a field that was applied, or has another value there.

    Parameters
    ----------
    found, built : mapping
        The object as the API server has it, and as it would be applied now.
    """
    return any(not _holds(found.get(part) or {}, built[part]) for part in ("metadata", "spec") if part in built)


def is_as_applied(found: Mapping[str, Any], built: dict[str, Any]) -> bool:
    """Tell whether an observed object is what would be applied now, and was not changed by hand."""
    annotations = found["metadata"].get("annotations") or {}
    return annotations.get(APPLIED_ANNOTATION) == fingerprint(built) and not is_drifted(found, built)


def _holds(found: Any, wanted: Any) -> bool:
    if wanted in _EMPTY and found in _EMPTY:
        return True
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(_field_holds(found, name, value) for name, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(found, list) and _list_holds(found, wanted)
    return bool(found == wanted)


def _field_holds(found: Mapping[str, Any], name: str, wanted: Any) -> bool:
    there = found.get(name)
    if name in _QUANTITIES and isinstance(wanted, Mapping) and isinstance(there, Mapping):
        return all(key in there and _amount(there[key]) == _amount(value) for key, value in wanted.items())
    return _holds(there, wanted)


def _list_holds(found: Sequence[Any], wanted: Sequence[Any]) -> bool:
    """Compare lists: those of objects are sets to server-side apply, to which others may have added."""
    if all(isinstance(one, Mapping) for one in wanted):
        return all(any(_holds(there, one) for there in found) for one in wanted)
    return list(found) == list(wanted)


def _amount(quantity: Any) -> Decimal | str:
    """Read a quantity as a number; text that is none is compared as it is."""
    text = str(quantity)
    number = text.rstrip("numkKMGTPEi")
    try:
        return Decimal(number) * _SUFFIXES[text[len(number) :]]
    except (InvalidOperation, KeyError):
        return text
