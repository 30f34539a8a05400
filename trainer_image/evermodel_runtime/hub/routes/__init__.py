"""Which handler answers which URL, and whose token it needs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from evermodel.tokens import Role
from evermodel_runtime.hub.core import Hub
from evermodel_runtime.hub.http import FileResponse, HttpError, Request, Response
from evermodel_runtime.hub.routes import artifacts, drift, erasures, feedback, jobs, probes

Run = Callable[[Hub, Request], Awaitable[Response | FileResponse]]


@dataclass(frozen=True, slots=True)
class Handler:
    """What answers one method."""

    run: Run
    roles: tuple[Role, ...] | None
    """Roles that may, besides the operator; None: anybody."""


class Caller(StrEnum):
    """What says whose token a request has."""

    HEADER = "header"
    """The header x-evermodel-model alone: what is asked for is of the namespace."""
    PATH = "path"
    """The model in the path."""
    PATH_OR_NAMESPACE = "path or namespace"
    """The header, which names the model in the path, or ``*`` for a token that is good for all of the namespace."""


@dataclass(frozen=True, slots=True)
class Route:
    """One URL with ``*`` for its variable parts."""

    name: str
    handlers: Mapping[str, Handler]
    caller: Caller = Caller.HEADER


_TRAINER = (Role.TRAINER,)
_SERVER = (Role.SERVER,)
_TRAINER_SERVER = (Role.TRAINER, Role.SERVER)
_OPERATOR: tuple[Role, ...] = ()

ROUTES = {
    route.name: route
    for route in (
        Route("/healthz", {"GET": Handler(probes.live, None)}),
        Route("/readyz", {"GET": Handler(probes.ready, None)}),
        Route("/metrics", {"GET": Handler(probes.metrics, None)}),
        Route(
            "/v1/blobs/*",
            {"GET": Handler(artifacts.get_blob, _TRAINER_SERVER), "PUT": Handler(artifacts.put_blob, _TRAINER)},
        ),
        Route(
            "/v1/datasets/*",
            {
                "GET": Handler(artifacts.get_dataset, (Role.TRAINER, Role.UPLOADER)),
                "PUT": Handler(artifacts.put_dataset, (Role.UPLOADER,)),
            },
        ),
        Route("/v1/models/*/feedback", {"POST": Handler(feedback.post_feedback, _SERVER)}, caller=Caller.PATH),
        Route("/v1/models/*/erasures", {"POST": Handler(erasures.post_erasure, _SERVER)}, caller=Caller.PATH),
        Route("/v1/models/*/heartbeat", {"POST": Handler(feedback.post_heartbeat, _SERVER)}, caller=Caller.PATH),
        Route("/v1/models/*/quality", {"POST": Handler(feedback.post_quality, _OPERATOR)}, caller=Caller.PATH),
        Route(
            "/v1/models/*/drift",
            {"GET": Handler(drift.get_drift, (Role.UPLOADER,))},
            caller=Caller.PATH_OR_NAMESPACE,
        ),
        Route(
            "/v1/models/*/captures",
            {"GET": Handler(jobs.get_captures, (Role.UPLOADER,))},
            caller=Caller.PATH_OR_NAMESPACE,
        ),
        Route("/v1/models/*/records", {"GET": Handler(jobs.get_records, _TRAINER)}, caller=Caller.PATH),
        Route("/v1/models/*/datasets/*", {"GET": Handler(artifacts.get_dataset_info, _OPERATOR)}, caller=Caller.PATH),
        Route("/v1/models/*/heldout-uses", {"POST": Handler(jobs.post_heldout_use, _TRAINER)}, caller=Caller.PATH),
        Route(
            "/v1/models/*/trials/*/*",
            {"GET": Handler(jobs.get_trials, _TRAINER), "POST": Handler(jobs.post_trial, _TRAINER)},
            caller=Caller.PATH,
        ),
        Route(
            "/v1/models/*/trials/*/*/begun",
            {"POST": Handler(jobs.post_begun_trial, _TRAINER)},
            caller=Caller.PATH,
        ),
        Route(
            "/v1/models/*/runs/*/*",
            {"GET": Handler(jobs.get_run, _OPERATOR), "PUT": Handler(jobs.put_run, _TRAINER)},
            caller=Caller.PATH,
        ),
        Route(
            "/v1/models/*/runs/*/*/progress",
            {"GET": Handler(jobs.get_progress, _OPERATOR), "PUT": Handler(jobs.put_progress, _TRAINER)},
            caller=Caller.PATH,
        ),
        Route(
            "/v1/models/*/versions/*/*",
            {"GET": Handler(jobs.get_report, (Role.UPLOADER,))},
            caller=Caller.PATH_OR_NAMESPACE,
        ),
        Route(
            "/v1/models/*/lineage",
            {"GET": Handler(jobs.get_lineage, _TRAINER), "POST": Handler(jobs.post_lineage, _OPERATOR)},
            caller=Caller.PATH,
        ),
    )
}
_VARIABLE = {"blobs": (2,), "datasets": (2,), "models": (2, 4, 5)}
"""Which parts of a path are variable, by its second part."""


def find_route(path: str) -> tuple[Route, tuple[str, ...]]:
    """Return the route of a path and its variable parts."""
    parts = path[1:].split("/")
    variable = _VARIABLE.get(parts[1], ()) if len(parts) > 1 else ()
    shape = "".join("/*" if place in variable else f"/{part}" for place, part in enumerate(parts))
    route = ROUTES.get(shape)
    if route is None:
        raise HttpError(404, f"the hub has no {path}")
    return route, tuple(parts[place] for place in variable if place < len(parts))
