"""What of a pod is the operator's own."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from evermodel.api.rules.rule import Rule
from evermodel.api.template import EnvVar, PodTemplate

FIELD_RULES: Mapping[tuple[type[Struct], str], tuple[Rule, ...]] = {
    (EnvVar, "name"): (
        Rule(
            rule="!self.startsWith('EVERMODEL_')",
            message="names that begin with EVERMODEL_ are the operator's: choose another",
        ),
    ),
    (PodTemplate, "labels"): (
        Rule(
            rule="self.all(key, !key.startsWith('evermodel.dev/') && !key.startsWith('app.kubernetes.io/'))",
            message="labels under evermodel.dev/ and app.kubernetes.io/ are the operator's: choose another prefix",
        ),
    ),
    (PodTemplate, "annotations"): (
        Rule(
            rule="self.all(key, !key.startsWith('evermodel.dev/'))",
            message="annotations under evermodel.dev/ are the operator's: choose another prefix",
        ),
    ),
}
