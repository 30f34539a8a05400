"""The CustomResourceDefinitions, from the types: ``python -m evermodel.api.crd [--check]``."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct

from evermodel.api import GROUP, VERSION
from evermodel.api.generated import main
from evermodel.api.modeldeployment import ModelDeploymentSpec, ModelDeploymentStatus
from evermodel.api.modelversion import ModelVersionSpec, ModelVersionStatus
from evermodel.api.rules import FIELD_RULES, NAME_RULES, RECORD_RULES, STRUCT_RULES
from evermodel.api.rules.rule import Rule
from evermodel.api.schema import RuleSet, Schema, struct_schema

HEADER = "# Generated from operator/evermodel/api by `python -m evermodel.api.crd`: change the types, not this file.\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of `kubectl get`."""

    name: str
    path: str
    type: str = "string"
    wide: bool = False
    description: str = ""

    def printed(self) -> dict[str, Any]:
        """Return an entry of additionalPrinterColumns."""
        column: dict[str, Any] = {"name": self.name, "type": self.type, "jsonPath": self.path}
        if self.description:
            column["description"] = self.description
        return column | {"priority": 1} if self.wide else column


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One custom resource: its names, types and columns."""

    name: str
    plural: str
    short_names: tuple[str, ...]
    description: str
    spec: type[Struct]
    status: type[Struct]
    rules: RuleSet
    object_rules: tuple[Rule, ...]
    columns: tuple[Column, ...]
    scale: dict[str, str] | None = None


MODEL_DEPLOYMENT = Kind(
    name="ModelDeployment",
    plural="modeldeployments",
    short_names=("models", "model", "emd"),
    description="A model, its data and the quality that it must keep; the operator trains, serves and retrains it.",
    spec=ModelDeploymentSpec,
    status=ModelDeploymentStatus,
    rules=RuleSet(of_fields=FIELD_RULES, of_structs=STRUCT_RULES),
    object_rules=NAME_RULES,
    columns=(
        Column(name="Ready", path='.status.conditions[?(@.type=="Ready")].status', description="The champion serves."),
        Column(name="Phase", path=".status.phase", description="Where it stands."),
        Column(name="Version", path=".status.champion.version", type="integer", description="The champion."),
        Column(name="Metric", path=".spec.objective.metric", description="What the threshold is about."),
        Column(name="Holdout", path=".status.champion.holdout", type="number", description="On held-out rows."),
        Column(name="Live", path=".status.live.value", type="number", description="In production."),
        Column(name="Threshold", path=".spec.objective.threshold", type="number", description="What must be kept."),
        Column(name="Age", path=".metadata.creationTimestamp", type="date"),
        Column(name="Candidate", path=".status.candidate.version", type="integer", wide=True),
        Column(
            name="Drift",
            path=".status.drift.largest",
            type="number",
            wide=True,
            description="Largest PSI of a feature or the prediction.",
        ),
        Column(name="Retrains", path=".status.retraining.count", type="integer", wide=True),
        Column(name="URL", path=".status.url", wide=True),
    ),
    scale={
        "specReplicasPath": ".spec.serving.replicas",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    },
)

MODEL_VERSION = Kind(
    name="ModelVersion",
    plural="modelversions",
    short_names=("mv",),
    description="The record of one run: what it was started with and what came of it. It never changes.",
    spec=ModelVersionSpec,
    status=ModelVersionStatus,
    rules=RuleSet(of_structs=RECORD_RULES),
    object_rules=(),
    columns=(
        Column(name="Phase", path=".status.phase", description="Where the version stands."),
        Column(name="Trigger", path=".spec.trigger.reason", description="Why the run began."),
        Column(name="Holdout", path=".status.holdout", type="number", description="Metric on the set that decided."),
        Column(name="Set", path=".status.holdoutSet", description="The set that decided."),
        Column(name="Progress", path=".status.progress.message", description="What its Job is doing."),
        Column(name="Rows", path=".status.rows", type="integer", description="Rows fitted on."),
        Column(name="Age", path=".metadata.creationTimestamp", type="date"),
        Column(name="Feedback", path=".status.feedbackRows", type="integer", wide=True),
        Column(name="Parent", path=".spec.parent", type="integer", wide=True),
        Column(name="Failure", path=".status.failure.reason", wide=True),
        Column(name="Message", path=".status.message", wide=True),
    ),
)

KINDS = (MODEL_DEPLOYMENT, MODEL_VERSION)


def object_schema(kind: Kind) -> Schema:
    """Return the schema of the whole object."""
    metadata: Schema = {"type": "object"}
    if kind.object_rules:
        # a bound on the name keeps the rules' cost small; the rules give the words
        metadata["properties"] = {"name": {"type": "string", "maxLength": 253}}
    schema: Schema = {
        "type": "object",
        "description": kind.description,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": metadata,
            "spec": struct_schema(kind.spec, kind.rules),
            # filled in even where no status was ever written: a new object never reads as up to date
            "status": struct_schema(kind.status, kind.rules) | {"default": {}},
        },
    }
    if kind.object_rules:
        schema["x-kubernetes-validations"] = [rule.validation() for rule in kind.object_rules]
    return schema


def definition(kind: Kind) -> dict[str, Any]:
    """Return the CustomResourceDefinition of a kind."""
    version: dict[str, Any] = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}} | ({"scale": kind.scale} if kind.scale else {}),
        "additionalPrinterColumns": [column.printed() for column in kind.columns],
        "schema": {"openAPIV3Schema": object_schema(kind)},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}", "labels": {"app.kubernetes.io/name": "evermodel"}},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind.name,
                "listKind": f"{kind.name}List",
                "plural": kind.plural,
                "singular": kind.name.lower(),
                "shortNames": list(kind.short_names),
                "categories": ["evermodel"],
            },
            "versions": [version],
        },
    }


class _Dumper(yaml.SafeDumper):
    """Writes every value out: no anchors, which `kubectl` would read but people would not."""

    def ignore_aliases(self, _: object) -> bool:
        return True


def render(kind: Kind) -> str:
    """Return the CRD's file."""
    body = yaml.dump(definition(kind), Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)
    return HEADER + body


def files() -> dict[Path, str]:
    """Return the generated files: path in the checkout, and text."""
    return {Path("crds") / f"{GROUP}_{kind.plural}.yaml": render(kind) for kind in KINDS}


if __name__ == "__main__":
    sys.exit(main("python -m evermodel.api.crd", files()))
