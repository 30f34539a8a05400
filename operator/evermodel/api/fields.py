"""What all parts of the custom resources are made of: the base struct and the scalars with their bounds."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta


class Resource(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Base of all parts of a custom resource: immutable, camelCase in YAML."""


Duration = Annotated[
    str,
    Meta(
        title="duration",
        pattern=r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$",
        max_length=32,
        description="A duration such as 30s, 15m or 1h30m.",
    ),
]
ColumnName = Annotated[str, Meta(min_length=1, max_length=253)]
Quantity = Annotated[
    int | str,
    Meta(
        title="quantity",
        extra_json_schema={
            "maxLength": 32,
            "pattern": (
                r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
                r"(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
            ),
        },
    ),
]
"""A Kubernetes quantity such as 500m, 2 or 1Gi."""
Quantities = Annotated[dict[str, Quantity], Meta(max_length=16)]
LabelValue = Annotated[str, Meta(max_length=63, pattern=r"^([A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)?$")]
Labels = Annotated[dict[str, LabelValue], Meta(max_length=64)]
Annotations = Annotated[dict[str, Annotated[str, Meta(max_length=4096)]], Meta(max_length=64)]
Parameters = Annotated[dict[str, Any], Meta(max_length=128)]
"""Constructor parameters: JSON values by name; what a name means is the library's business."""
Digest = Annotated[str, Meta(title="sha256", pattern=r"^[0-9a-f]{64}$", max_length=64)]
Time = Annotated[str, Meta(title="RFC 3339 time", max_length=64)]
Text = Annotated[str, Meta(max_length=1024)]
Message = Annotated[str, Meta(max_length=32768)]
Token = Annotated[str, Meta(max_length=262_144)]
"""An annotation's value: Kubernetes allows 256 KiB of annotations."""


def _cron_field(value: str) -> str:
    item = f"([*]|{value}(-{value})?)(/[1-9][0-9]?)?"
    return f"{item}(,{item})*"


CRON = (
    "^"
    + " +".join(
        _cron_field(value)
        for value in (
            "[0-5]?[0-9]",
            "([01]?[0-9]|2[0-3])",
            "(0?[1-9]|[12][0-9]|3[01])",
            "(0?[1-9]|1[0-2]|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)",
            "([0-7]|sun|mon|tue|wed|thu|fri|sat)",
        )
    )
    + "$"
)
"""Cron's five fields; ``core.cron`` reads whatever fits."""
