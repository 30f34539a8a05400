"""The OpenAPI document of one pod: its routes, the messages as their types say, and the columns of its model."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

import evermodel
from evermodel.contract import (
    LONGEST_CALLER_ID,
    CallerIds,
    ColumnKind,
    Erased,
    FeedbackRequest,
    FeedbackResponse,
    PredictRequest,
    PredictResponse,
    ServeConfig,
)
from evermodel_runtime.serve.protocol import (
    MAX_ROWS,
    ErrorResponse,
    InferRequest,
    InferResponse,
    Liveness,
    ModelList,
    ModelMetadata,
    ModelReadiness,
    ServerMetadata,
    ServerReadiness,
)
from evermodel_runtime.serve.rows import Schema

OPENAPI = "3.1.0"
TOO_LARGE = float(np.finfo(np.float32).max) + 2.0**103
"""The first number that rounds to no finite 32-bit float, which models take."""

_JSON = "application/json"
_TENSOR_BYTES = "application/octet-stream"
_REF = "#/components/schemas/{name}"
_HEADER_LENGTH: Mapping[str, Any] = {
    "name": "Inference-Header-Content-Length",
    "in": "header",
    "required": False,
    "schema": {"type": "integer", "minimum": 0},
    "description": "How many bytes of the body are JSON, where bytes of tensors follow.",
}
_RECORD_ID: Mapping[str, Any] = {
    "name": "id",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "minLength": 1},
    "description": "The id of the prediction, or the caller's own where the model takes such ids.",
}
_IDS: Mapping[str, Any] = {
    "type": ["array", "null"],
    "items": {"type": "string", "minLength": 1, "maxLength": LONGEST_CALLER_ID},
    "description": "What you call the instances, one id for each: labels and erasing by these ids are taken, too.",
}
_REFUSALS: Mapping[int, str] = {
    400: "The request is wrong; the message says what and where.",
    404: "No prediction of this model has the id.",
    408: "The body did not arrive in time.",
    413: "The body or its number of rows is too large: send several requests.",
    415: "The content type or encoding is not understood.",
    429: "Too many labels wait: send them again after Retry-After.",
    431: "The headers are too large.",
    500: "The server failed; its log says why.",
    503: "Not ready: ask again after Retry-After.",
    507: "The hub's volume is full: send the labels again later.",
}
_ASKED = (400, 408, 413, 415, 431, 500, 503)
_RETRY_AFTER: Mapping[str, Any] = {
    "Retry-After": {"schema": {"type": "string"}, "description": "How many seconds to wait at least."}
}
_LATER = (429, 503, 507)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What one kind of route does: GET unless it takes a body or deletes."""

    summary: str
    answer: type[msgspec.Struct] | None
    """None: what has no type here."""
    media: str = _JSON
    body: type[msgspec.Struct] | None = None
    deletes: bool = False
    takes_bytes: bool = False
    """Whether bytes of tensors may follow the JSON, in the request and in the answer."""
    refusals: tuple[int, ...] = ()
    not_ready: type[msgspec.Struct] = ErrorResponse
    """What 503 looks like."""


OPERATIONS: Mapping[str, Operation] = {
    "server": Operation(summary="Name and extensions of the server", answer=ServerMetadata),
    "live": Operation(summary="Whether the process runs", answer=Liveness),
    "ready": Operation(
        summary="Whether the pod wants requests", answer=ServerReadiness, refusals=(503,), not_ready=ServerReadiness
    ),
    "model": Operation(summary="What the model takes and answers", answer=ModelMetadata, refusals=(503,)),
    "models": Operation(summary="Names of the models", answer=ModelList),
    "model_ready": Operation(
        summary="Whether the model answers", answer=ModelReadiness, refusals=(503,), not_ready=ModelReadiness
    ),
    "infer": Operation(
        summary="Predict from tensors, by the Open Inference Protocol v2",
        answer=InferResponse,
        body=InferRequest,
        takes_bytes=True,
        refusals=_ASKED,
    ),
    "predict": Operation(
        summary="Predict from rows of plain JSON", answer=PredictResponse, body=PredictRequest, refusals=_ASKED
    ),
    "feedback": Operation(
        summary="Tell the true labels of earlier predictions; each is on disk when the answer comes",
        answer=FeedbackResponse,
        body=FeedbackRequest,
        refusals=(*_ASKED, 429, 507),
    ),
    "record": Operation(
        summary="Erase what was captured of a prediction; it is gone from the disk when the answer comes",
        answer=Erased,
        deletes=True,
        refusals=(400, 404, 408, 413, 429, 431, 500, 503, 507),
    ),
    "metrics": Operation(summary="Metrics as Prometheus reads them", answer=None, media="text/plain"),
    "openapi": Operation(summary="This document", answer=None),
}
"""By the routes' names in metrics."""


def document(config: ServeConfig, routes: Mapping[str, str], schema: Schema | None) -> dict[str, Any]:
    """Describe what a pod answers.

    Parameters
    ----------
    config : ServeConfig
        What is served.
    routes : Mapping of str to str
        The name of each path's route.
    schema : Schema, optional
        The columns of the model; None while it is not loaded.
    """
    paths = {path: _path(config, path, OPERATIONS[name]) for path, name in routes.items()}
    return {
        "openapi": OPENAPI,
        "info": {
            "title": f"Model {config.model}, version {config.version}",
            "version": evermodel.__version__,
            "description": "A prediction has an id for each row; send the true label to that id when it is known.",
        },
        "paths": paths,
        "components": {"schemas": _schemas(config, schema)},
    }


def _path(config: ServeConfig, path: str, operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "summary": operation.summary,
        "operationId": _operation_id(config, path),
        "responses": _responses(operation),
    }
    if operation.deletes:
        return {"delete": described | {"parameters": [_RECORD_ID]}}
    if operation.body is None:
        return {"get": described, "head": described | {"operationId": f"{described['operationId']}_head"}}
    content: dict[str, Any] = {_JSON: {"schema": _ref(operation.body)}}
    if operation.takes_bytes:
        content[_TENSOR_BYTES] = {}
        described["parameters"] = [_HEADER_LENGTH]
    described["requestBody"] = {"required": True, "content": content}
    return {"post": described}


def _operation_id(config: ServeConfig, path: str) -> str:
    general = path.replace(f"/models/{config.model}", "/model").replace(f"/versions/{config.version}", "/version")
    return re.sub(r"\W+", "_", general.strip("/{}"))


def _responses(operation: Operation) -> dict[str, Any]:
    answer = {operation.media: {} if operation.answer is None else _content(operation.answer)}
    if operation.takes_bytes:
        answer[_TENSOR_BYTES] = {}
    responses: dict[str, Any] = {"200": {"description": "The answer.", "content": answer}}
    for status in operation.refusals:
        kind = operation.not_ready if status == 503 else ErrorResponse  # noqa: PLR2004 - HTTP's number
        refusal = {"description": _REFUSALS[status], "content": {_JSON: _content(kind)}}
        if status in _LATER and kind is ErrorResponse:
            refusal["headers"] = _RETRY_AFTER
        responses[str(status)] = refusal
    return responses


def _content(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {"schema": _ref(kind)}


def _ref(kind: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": _REF.format(name=kind.__name__)}


def _schemas(config: ServeConfig, schema: Schema | None) -> dict[str, Any]:
    _, components = msgspec.json.schema_components(set(_messages()), ref_template=_REF)
    fields = components["PredictRequest"]["properties"]
    instances = fields["instances"]
    instances |= {"minItems": 1, "maxItems": MAX_ROWS}
    if config.captured is not None and config.captured.caller_ids is CallerIds.ACCEPT:
        fields["ids"] = _IDS
    else:
        del fields["ids"]
    if schema is not None:
        instances["items"] = _instance(schema)
    return components


def _messages() -> Iterable[type[msgspec.Struct]]:
    for operation in OPERATIONS.values():
        yield from (kind for kind in (operation.answer, operation.body, operation.not_ready) if kind is not None)


def _instance(schema: Schema) -> dict[str, Any]:
    columns = {
        name: _column(kind, nullable=name in schema.nullable)
        for name, kind in zip(schema.names, schema.kinds, strict=True)
    }
    by_name = {
        "type": "object",
        "properties": columns,
        "required": list(columns),
        "additionalProperties": False,
    }
    in_order = {"type": "array", "prefixItems": list(columns.values()), "items": False, "minItems": len(columns)}
    return {"anyOf": [by_name, in_order]}


def _column(kind: ColumnKind, *, nullable: bool) -> dict[str, Any]:
    null = ["null"] if nullable else []
    if kind is ColumnKind.NUMBER:
        return {"type": ["number", "boolean", *null], "exclusiveMinimum": -TOO_LARGE, "exclusiveMaximum": TOO_LARGE}
    if kind is ColumnKind.DATE:
        return {"type": ["string", *null], "description": "A date or time in ISO 8601."}
    return {"type": ["string", *null]}
