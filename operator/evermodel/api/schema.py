"""Structural OpenAPI v3 schemas of the API's structs, as CustomResourceDefinitions want them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from msgspec import NODEFAULT, Struct
from msgspec import inspect as types

from evermodel.api.descriptions import describe, enum_values, summary, unwrapped
from evermodel.api.evaluation import CustomMetric
from evermodel.api.modeldeployment import CaptureRules, Container, Data, Ensemble, Evaluation, Preprocessing, Retraining
from evermodel.api.rules.rule import Rule, fraction_rules
from evermodel.api.status import ModelDeploymentStatus
from evermodel.api.template import PodTemplate

Schema = dict[str, Any]

LIST_KINDS: Mapping[tuple[type[Struct], str], Schema] = {
    (Data, "features"): {"x-kubernetes-list-type": "set"},
    (Preprocessing, "columns"): {"x-kubernetes-list-type": "set"},
    (CaptureRules, "drop"): {"x-kubernetes-list-type": "set"},
    (CaptureRules, "hash"): {"x-kubernetes-list-type": "set"},
    (Retraining, "triggers"): {"x-kubernetes-list-type": "set"},
    (Ensemble, "members"): {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    (Retraining, "strategies"): {"x-kubernetes-list-type": "set"},
    (Evaluation, "slices"): {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["column"]},
    (Evaluation, "customMetrics"): {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    (CustomMetric, "env"): {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    (PodTemplate, "imagePullSecrets"): {"x-kubernetes-list-type": "set"},
    (PodTemplate, "env"): {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    (Container, "env"): {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    (ModelDeploymentStatus, "conditions"): {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
}
"""Lists whose items must differ; the API server refuses duplicates of these. All others are atomic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """The CEL rules that a schema carries."""

    of_fields: Mapping[tuple[type[Struct], str], tuple[Rule, ...]] = field(default_factory=dict)
    of_structs: Mapping[type[Struct], tuple[Rule, ...]] = field(default_factory=dict)


def struct_schema(struct: type[Struct], rules: RuleSet) -> Schema:
    """Return the schema of a struct with everything below it, without references."""
    information = types.type_info(struct)
    if not isinstance(information, types.StructType):
        raise TypeError(f"{struct} is no struct.")
    schema: Schema = {
        "type": "object",
        "description": summary(struct),
        "properties": {one.encode_name: field_schema(struct, one, rules) for one in information.fields},
    }
    required = [one.encode_name for one in information.fields if one.required]
    if required:
        schema["required"] = required
    return schema | _validations(rules.of_structs.get(struct, ()))


def field_schema(struct: type[Struct], one: types.Field, rules: RuleSet) -> Schema:
    """Return the schema of one field: its type, bounds, default, description and rules."""
    schema = declared_schema(struct, one, rules)
    own = rules.of_fields.get((struct, one.encode_name), ())
    own = own or fraction_rules(schema)
    replaced = frozenset[str]().union(*(rule.instead_of for rule in own))
    return {keyword: value for keyword, value in schema.items() if keyword not in replaced} | _validations(own)


def declared_schema(struct: type[Struct], one: types.Field, rules: RuleSet) -> Schema:
    """Return what the type says about one field; below it, rules stand as in ``field_schema``."""
    schema = _type_schema(one.type, rules) | LIST_KINDS.get((struct, one.encode_name), {})
    schema["description"] = describe(struct, one)
    default = _default(one, schema)
    return schema if default is None else schema | {"default": default}


def _validations(rules: tuple[Rule, ...]) -> Schema:
    return {"x-kubernetes-validations": [rule.validation() for rule in rules]} if rules else {}


def _default(one: types.Field, schema: Schema) -> object:
    """Return what the API server fills in: nothing where absent and empty mean the same."""
    value = one.default_factory() if one.default_factory is not NODEFAULT else one.default
    match value:
        case _ if value is NODEFAULT:
            return None
        case Enum():
            return value.value
        case Struct():
            if value != type(value)():
                raise ValueError(f"{one.name}: the default of a struct must be its defaults.")
            return {} if any("default" in below for below in schema["properties"].values()) else None
        case bool() | int() | float():
            return value
        case None | "" | () | {}:
            return None
        case str():
            return value
    raise TypeError(f"{one.name}: a default of {type(value)} cannot be written.")


def _type_schema(annotated: types.Type, rules: RuleSet) -> Schema:
    kind, extra = unwrapped(annotated)
    keywords = {name: value for name, value in extra.items() if name not in {"title", "description"}}
    match kind:
        case types.StructType(cls=cls):
            schema = struct_schema(cls, rules)
        case types.EnumType(cls=cls):
            schema = {"type": "string", "enum": enum_values(cls)}
        case types.VarTupleType():
            schema = _list_schema(kind, rules)
        case types.DictType():
            schema = _map_schema(kind, rules)
        case types.UnionType():
            schema = {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}
        case _:
            schema = scalar_schema(kind)
    return schema | keywords


def scalar_schema(kind: types.Type) -> Schema:
    """Return type and bounds of a string, a number or a boolean."""
    match kind:
        case types.StrType():
            return {"type": "string"} | _given(
                minLength=kind.min_length, maxLength=kind.max_length, pattern=kind.pattern
            )
        case types.IntType():
            return {"type": "integer", "format": "int64"} | _given(minimum=kind.ge, maximum=kind.le)
        case types.FloatType():
            return {"type": "number"} | _float_bounds(kind)
        case types.BoolType():
            return {"type": "boolean"}
    raise TypeError(f"{kind} has no schema.")


def _float_bounds(kind: types.FloatType) -> Schema:
    lower = _given(minimum=kind.ge) or (_given(minimum=kind.gt) and {"minimum": kind.gt, "exclusiveMinimum": True})
    upper = _given(maximum=kind.le) or (_given(maximum=kind.lt) and {"maximum": kind.lt, "exclusiveMaximum": True})
    return lower | upper


def _list_schema(kind: types.VarTupleType, rules: RuleSet) -> Schema:
    item = _type_schema(kind.item_type, rules)
    schema = {"type": "array", "x-kubernetes-list-type": "atomic", "items": item}
    return schema | _given(minItems=kind.min_length, maxItems=kind.max_length)


def _map_schema(kind: types.DictType, rules: RuleSet) -> Schema:
    bounds = _given(minProperties=kind.min_length, maxProperties=kind.max_length)
    if isinstance(kind.value_type, types.AnyType):
        return {"type": "object", "x-kubernetes-preserve-unknown-fields": True} | bounds
    return {"type": "object", "additionalProperties": _type_schema(kind.value_type, rules)} | bounds


def _given(**keywords: float | str | None) -> Schema:
    return {name: value for name, value in keywords.items() if value is not None}
