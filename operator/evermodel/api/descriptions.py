"""Words about fields: from Meta, from the docstring below the field, or from the docstring of its type."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import Any

from msgspec import Struct
from msgspec import inspect as types


@cache
def attribute_docstrings(struct: type) -> Mapping[str, str]:
    """Return the docstrings below the fields of a struct, by Python name."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(struct))).body
    if not isinstance(definition, ast.ClassDef):
        raise TypeError(f"{struct} is no class.")
    found: dict[str, str] = {}
    for statement, following in zip(definition.body, definition.body[1:], strict=False):
        match statement, following:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = " ".join(text.split())
    return found


def summary(cls: type) -> str:
    """Return the docstring of a class in one line."""
    return " ".join((cls.__doc__ or "").split())


def unwrapped(kind: types.Type) -> tuple[types.Type, dict[str, Any]]:
    """Return a type without Annotated and without ``| None``, and what Meta says besides its bounds."""
    extra: dict[str, Any] = {}
    while True:
        match kind:
            case types.Metadata():
                extra = {**(kind.extra_json_schema or {}), **extra}
                kind = kind.type
            case types.UnionType() if kind.includes_none and len(kind.types) == 2:  # noqa: PLR2004 - X | None
                (kind,) = (one for one in kind.types if not isinstance(one, types.NoneType))
            case _:
                return kind, extra


def describe(struct: type[Struct], field: types.Field) -> str:
    """Return the description of a field; the nearest words win."""
    kind, extra = unwrapped(field.type)
    below = attribute_docstrings(struct).get(field.name)
    if below:
        return below
    if "description" in extra:
        return str(extra["description"])
    match kind:
        case types.StructType(cls=cls) | types.EnumType(cls=cls):
            return summary(cls)
        case types.VarTupleType(item_type=types.StructType(cls=cls)):
            return summary(cls)
    raise ValueError(f"{struct.__name__}.{field.name} has no description.")


def enum_values(cls: type[Enum]) -> list[str]:
    """Return the values of a closed set, in the order of its definition."""
    return [str(member.value) for member in cls]
