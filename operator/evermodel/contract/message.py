"""What all messages have in common, and how labels are spelled."""

from __future__ import annotations

import msgspec


class Message(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=False):
    """Base of all messages: immutable, camelCase on the wire; unknown fields are ignored: versions may differ."""


Scalar = str | int | float | bool


def label_text(label: Scalar) -> str:
    """One text for one class, however a client's JSON spells it: 3, 3.0 and "3" are one, as are true and "true"."""
    if isinstance(label, bool):
        return "true" if label else "false"
    if isinstance(label, float) and label.is_integer():
        return str(int(label))
    return str(label)
