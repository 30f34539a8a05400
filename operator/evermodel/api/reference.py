"""The reference page, from the types: ``python -m evermodel.api.reference [--check]``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec import inspect as types

from evermodel.api import API_VERSION
from evermodel.api.crd import KINDS, Kind
from evermodel.api.descriptions import describe, summary, unwrapped
from evermodel.api.generated import main
from evermodel.api.rules.rule import Rule
from evermodel.api.schema import RuleSet, declared_schema

PAGE = Path("docs/reference.md")
NO_RULES = RuleSet()
INTRODUCTION = f"""\
<!-- Generated from operator/evermodel/api by `python -m evermodel.api.reference`: change the types, not this page. -->

# API reference

Resources of `{API_VERSION}`. A field without a default is required unless it says *optional*. Empty lists, maps and
texts mean the same as leaving the field out. Below a table stand the rules that the API server checks besides types
and bounds, in the words of its answer. How to use the fields is in [operations.md](operations.md) and in
`manifests/samples`. A *duration* is written as in 30s, 15m or 1h30m; a *quantity* as in 500m or 1Gi.
"""


def page() -> str:
    """Return the reference page."""
    sections = [INTRODUCTION]
    written: set[type[Struct]] = set()
    for kind in KINDS:
        sections.append(_introduce(kind))
        for title, root in (("spec", kind.spec), ("status", kind.status)):
            for struct in _below(root, written):
                heading = f"### {struct.__name__}" + (f" (`{title}`)" if struct is root else "")
                sections.append(f"{heading}\n\n{summary(struct)}\n\n{_table(struct)}{_rules(struct, kind)}")
    return "\n".join(sections)


def _introduce(kind: Kind) -> str:
    names = ", ".join(f"`{name}`" for name in kind.short_names)
    rows = "\n".join(
        f"| {column.name.upper()} | `{_cell(column.path)}` | {'with `-o wide`' if column.wide else 'yes'} |"
        for column in kind.columns
    )
    rules = "".join(f"\n- `metadata.name`: {rule.message}." for rule in kind.object_rules)
    return (
        f"## {kind.name}\n\n{kind.description}\n\n`kubectl get {kind.plural}`; short names: {names}.\n"
        f"{rules and rules + chr(10)}\n| column | from | shown |\n|-|-|-|\n{rows}\n"
    )


def _below(struct: type[Struct], written: set[type[Struct]]) -> Iterator[type[Struct]]:
    """Yield a struct and those that it is made of, each once on the page."""
    if struct in written:
        return
    written.add(struct)
    yield struct
    for one in _fields(struct):
        nested = _struct_of(one.type)
        if nested is not None:
            yield from _below(nested, written)


def _fields(struct: type[Struct]) -> tuple[types.Field, ...]:
    information = types.type_info(struct)
    if not isinstance(information, types.StructType):
        raise TypeError(f"{struct} is no struct.")
    return information.fields


def _struct_of(annotated: types.Type) -> type[Struct] | None:
    match unwrapped(annotated)[0]:
        case types.StructType(cls=cls):
            return cls
        case types.VarTupleType(item_type=item):
            return _struct_of(item)
    return None


def _table(struct: type[Struct]) -> str:
    lines = ["| field | type | default | bounds | description |", "|-|-|-|-|-|"]
    for one in _fields(struct):
        schema = declared_schema(struct, one, NO_RULES)
        limits = "" if _has_own_name(one.type) else bounds(schema)
        cells = (f"`{one.encode_name}`", type_name(one.type), _default(one, schema), limits)
        lines.append("| " + " | ".join((*cells, _cell(describe(struct, one)))) + " |")
    return "\n".join(lines) + "\n"


def type_name(annotated: types.Type) -> str:
    """Return the type in words, linked to its table when it has one."""
    kind, extra = unwrapped(annotated)
    if _has_own_name(annotated):
        return str(extra["title"])
    match kind:
        case types.StructType(cls=cls):
            return f"[{cls.__name__}](#{cls.__name__.lower()})"
        case types.VarTupleType(item_type=item):
            return f"list of {type_name(item)}"
        case types.DictType(value_type=value):
            return f"map of {type_name(value)}"
    words: Mapping[type[types.Type], str] = {
        types.AnyType: "JSON",
        types.BoolType: "boolean",
        types.EnumType: "string",
        types.FloatType: "number",
        types.IntType: "integer",
        types.StrType: "string",
    }
    return words[type(kind)]


def _has_own_name(annotated: types.Type) -> bool:
    """Tell whether the type's name says what is allowed: a duration, a digest, a time."""
    return "title" in unwrapped(annotated)[1]


def _default(one: types.Field, schema: Mapping[str, Any]) -> str:
    if one.required:
        return "**required**"
    if "default" not in schema or schema["type"] == "object":
        return "*optional*"
    value = schema["default"]
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def bounds(schema: Mapping[str, Any]) -> str:
    """Return the bounds of a value in words."""
    parts = [", ".join(f"`{value}`" for value in schema.get("enum", ()))]
    if "minimum" in schema:
        parts.append(f"{'>' if schema.get('exclusiveMinimum') else '≥'} {schema['minimum']:,}")
    if "maximum" in schema:
        parts.append(f"{'<' if schema.get('exclusiveMaximum') else '≤'} {schema['maximum']:,}")
    for unit, least, most in (
        ("characters", "minLength", "maxLength"),
        ("items", "minItems", "maxItems"),
        ("entries", "minProperties", "maxProperties"),
    ):
        if most in schema:
            lower = f"{schema[least]:,} to " if least in schema else "≤ "
            parts.append(f"{lower}{schema[most]:,} {unit}")
    if "pattern" in schema:
        parts.append(f"`{_cell(schema['pattern'])}`")
    if schema.get("x-kubernetes-list-type") == "set":
        parts.append("no duplicates")
    return "; ".join(part for part in parts if part)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _rules(struct: type[Struct], kind: Kind) -> str:
    own = [("", rule) for rule in kind.rules.of_structs.get(struct, ())]
    fields = [
        (one.encode_name, rule)
        for one in _fields(struct)
        for rule in kind.rules.of_fields.get((struct, one.encode_name), ())
    ]
    lines = [_rule(name, rule) for name, rule in [*fields, *own]]
    return "\n" + "\n".join(lines) + "\n" if lines else ""


def _rule(name: str, rule: Rule) -> str:
    where = name or rule.field_path.removeprefix(".")
    return f"- `{where}`: {rule.message}." if where else f"- {rule.message}."


def files() -> dict[Path, str]:
    """Return the generated page: path in the checkout, and text."""
    return {PAGE: page()}


if __name__ == "__main__":
    sys.exit(main("python -m evermodel.api.reference", files()))
