"""Names of ModelDeployments, and ModelVersions, which never change."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from evermodel.api.modelversion import ModelVersionSpec
from evermodel.api.rules.rule import Rule

NAME_LENGTH = 40
"""Longest name of a ModelDeployment: names of Jobs and pods are made from it and end at 63 characters."""

NAME_RULES = (
    Rule(
        rule=f"self.metadata.name.size() <= {NAME_LENGTH}",
        message=f"names of Jobs and pods are made from it: write {NAME_LENGTH} characters or fewer",
        field_path=".metadata.name",
    ),
    Rule(
        rule="self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
        message="a Service is named after it: write a-z, 0-9 and -, beginning with a letter, as in fraud-scoring",
        field_path=".metadata.name",
    ),
    Rule(
        rule="self.metadata.name != 'evermodel-hub'",
        message="the namespace's hub has this name: choose another",
        field_path=".metadata.name",
    ),
)
"""Rules of a ModelDeployment's name."""

RECORD_RULES: Mapping[type[Struct], tuple[Rule, ...]] = {
    ModelVersionSpec: (
        Rule(
            rule="self == oldSelf",
            message="a ModelVersion records one run and never changes: change its ModelDeployment instead",
        ),
    ),
}
"""Rules of ModelVersions. They record what was admitted before, so that no rule but this one applies to them."""
