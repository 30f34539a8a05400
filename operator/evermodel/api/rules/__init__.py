"""What the schema's keywords cannot say, or not say well: CEL rules, each with a message that tells what to do."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from evermodel.api.rules import data, ensembles, evaluation, serving, template, training, upkeep, whole
from evermodel.api.rules.objects import NAME_RULES, RECORD_RULES
from evermodel.api.rules.rule import Rule

FIELD_RULES: Mapping[tuple[type[Struct], str], tuple[Rule, ...]] = {
    **data.FIELD_RULES,
    **ensembles.FIELD_RULES,
    **evaluation.FIELD_RULES,
    **template.FIELD_RULES,
    **training.FIELD_RULES,
    **upkeep.FIELD_RULES,
}
"""Rules of single fields, by struct and name in YAML."""
STRUCT_RULES: Mapping[type[Struct], tuple[Rule, ...]] = {
    **data.STRUCT_RULES,
    **ensembles.STRUCT_RULES,
    **evaluation.STRUCT_RULES,
    **serving.STRUCT_RULES,
    **training.STRUCT_RULES,
    **upkeep.STRUCT_RULES,
    **whole.STRUCT_RULES,
}
"""Rules that compare fields of one struct."""

__all__ = ["FIELD_RULES", "NAME_RULES", "RECORD_RULES", "STRUCT_RULES"]
