"""Ways to look at the generated schemas."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

MINIMAL: Mapping[str, Any] = {
    "objective": {"threshold": 0.9},
    "data": {"train": {"uri": "sklearn://iris"}, "target": "target"},
    "training": {"estimator": "LogisticRegression"},
}
RECORD: Mapping[str, Any] = {
    "number": 1,
    "trigger": {"reason": "FirstVersion", "message": "There is no version yet."},
    "trainingHash": "1:0123456789abcdef",
    "image": "runtime:1",
    "data": MINIMAL["data"],
    "training": MINIMAL["training"],
}


def walk(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Yield every schema with its path, from the outside in."""
    yield path, schema
    for name, below in schema.get("properties", {}).items():
        yield from walk(below, f"{path}.{name}")
    if "items" in schema:
        yield from walk(schema["items"], f"{path}[*]")
    if isinstance(schema.get("additionalProperties"), Mapping):
        yield from walk(schema["additionalProperties"], f"{path}.*")


def filled(schema: Schema, value: object) -> Any:
    """Fill defaults in as the API server does: a missing field first, then what is below it."""
    if isinstance(value, Mapping):
        result = {name: copy.deepcopy(below) for name, below in value.items()}
        for name, below in schema.get("properties", {}).items():
            if name not in result and "default" in below:
                result[name] = copy.deepcopy(below["default"])
            if name in result:
                result[name] = filled(below, result[name])
        return result
    if isinstance(value, list | tuple):
        return [filled(schema["items"], item) for item in value]
    return value


def unknown_fields(schema: Schema, value: object, path: str = "") -> list[str]:
    """Return the fields of a value that the schema does not name: an API server would drop them."""
    if isinstance(value, list):
        return [one for item in value for one in unknown_fields(schema["items"], item, f"{path}[*]")]
    if not isinstance(value, Mapping) or "properties" not in schema:
        return []
    known = schema["properties"]
    unknown = [f"{path}.{name}" for name in value if name not in known]
    return unknown + [
        one
        for name, below in value.items()
        if name in known
        for one in unknown_fields(known[name], below, f"{path}.{name}")
    ]
