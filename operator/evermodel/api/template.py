"""The pod settings that a ModelDeployment may choose for its Jobs and serving pods: an allow-list."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from evermodel.api.fields import Annotations, Labels, Quantities, Resource


class EnvVar(Resource, frozen=True, kw_only=True):
    """One environment variable with a plain value."""

    name: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$",
            max_length=128,
            description="The variable's name; those that begin with EVERMODEL_ are the operator's.",
        ),
    ]
    value: Annotated[str, Meta(max_length=4096, description="The variable's value.")] = ""


class Resources(Resource, frozen=True, kw_only=True):
    """Compute resources of the container."""

    requests: Annotated[Quantities, Meta(description="What the scheduler sets aside: cpu, memory.")] = {}
    limits: Annotated[Quantities, Meta(description="What the container may use at most.")] = {}


class TolerationOperator(StrEnum):
    """How a toleration's value is compared."""

    EXISTS = "Exists"
    EQUAL = "Equal"


class TaintEffect(StrEnum):
    """What a taint does to pods that do not tolerate it."""

    NO_SCHEDULE = "NoSchedule"
    PREFER_NO_SCHEDULE = "PreferNoSchedule"
    NO_EXECUTE = "NoExecute"


class Toleration(Resource, frozen=True, kw_only=True):
    """A taint that the pod tolerates."""

    key: Annotated[str, Meta(max_length=253, description="Key of the taint; empty with Exists: any taint.")] = ""
    operator: Annotated[TolerationOperator, Meta(description="Exists: any value; Equal: this value.")] = (
        TolerationOperator.EQUAL
    )
    value: Annotated[str, Meta(max_length=63, description="Value of the taint.")] = ""
    effect: Annotated[TaintEffect, Meta(description="The effect that is tolerated; absent: every one.")] | None = None


class PodTemplate(Resource, frozen=True, kw_only=True):
    """The allow-listed pod settings."""

    image: Annotated[str, Meta(max_length=512, description="Runtime image; default: the operator's.")] | None = None
    image_pull_secrets: Annotated[
        tuple[Annotated[str, Meta(max_length=253)], ...],
        Meta(max_length=8, description="Names of Secrets in the same namespace that images are pulled with."),
    ] = ()
    resources: Resources = Resources()
    env: Annotated[tuple[EnvVar, ...], Meta(max_length=64, description="Environment variables, by plain value.")] = ()
    priority_class_name: (
        Annotated[str, Meta(max_length=253, description="PriorityClass of the pod; it must exist.")] | None
    ) = None
    node_selector: Annotated[Labels, Meta(description="Labels that the node must have.")] = {}
    tolerations: Annotated[
        tuple[Toleration, ...], Meta(max_length=16, description="Taints that the pod tolerates.")
    ] = ()
    labels: Annotated[
        Labels, Meta(description="Further labels of the pod; evermodel.dev/ and app.kubernetes.io/ are the operator's.")
    ] = {}
    annotations: Annotated[
        Annotations, Meta(description="Further annotations of the pod; evermodel.dev/ is the operator's.")
    ] = {}
