"""How the champion is served: its pods, how many of them, and by which protocols."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from evermodel.api.fields import Resource
from evermodel.api.template import PodTemplate


class Autoscaling(Resource, frozen=True, kw_only=True):
    """Let a HorizontalPodAutoscaler set the number of pods; of two targets the one that asks for more counts."""

    max_replicas: Annotated[int, Meta(ge=1, le=1000, description="Most serving pods.")]
    min_replicas: Annotated[int, Meta(ge=1, le=1000, description="Fewest serving pods.")] = 1
    cpu_utilization: (
        Annotated[
            int,
            Meta(
                ge=1,
                le=1000,
                description=(
                    "CPU that a pod should use on average, in percent of what it requests: 70. Needs metrics-server."
                ),
            ),
        ]
        | None
    ) = None
    in_flight: (
        Annotated[
            int,
            Meta(
                ge=1,
                le=10_000,
                description=(
                    "Requests that a pod should have under way on average: the custom metric "
                    "evermodel_server_requests_in_flight. Needs an adapter that serves it."
                ),
            ),
        ]
        | None
    ) = None


class Grpc(Resource, frozen=True, kw_only=True):
    """Answer the Open Inference Protocol by gRPC too, at a port of its own of the model's Service."""

    port: Annotated[
        int,
        Meta(ge=1024, le=65_535, description="Of the Service. Clients of Triton look for 8001, of KServe for 9000."),
    ] = 9000


class Serving(Resource, frozen=True, kw_only=True):
    """How the champion is served."""

    replicas: (
        Annotated[
            int,
            Meta(
                ge=0,
                le=1000,
                description=(
                    "Serving pods of the champion; absent: 1, or as many as autoscaling left when it was taken away."
                ),
            ),
        ]
        | None
    ) = None
    autoscaling: Autoscaling | None = None
    grpc: Grpc | None = None
    template: PodTemplate = PodTemplate()
