"""What answers each method of the protocol, by the same inference as REST and with the same sentences."""

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from evermodel.contract import ServeConfig
from evermodel_runtime.serve.answers import shortened
from evermodel_runtime.serve.application import FAILED
from evermodel_runtime.serve.inference import Inference
from evermodel_runtime.serve.measures import Measures
from evermodel_runtime.serve.metadata import SERVER, model_metadata, not_here
from evermodel_runtime.serve.protocol import RequestError, TensorMetadata
from evermodel_runtime.serve.readiness import Readiness
from evermodel_runtime.serve.rpc.messages import (
    METHODS,
    SERVICE,
    ModelMetadataResponse,
    ModelReadyResponse,
    ServerLiveResponse,
    ServerMetadataResponse,
    ServerReadyResponse,
    request_type,
    serialized,
)
from evermodel_runtime.serve.rpc.tensors import Forms, read_message

OK = 200
CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    404: grpc.StatusCode.NOT_FOUND,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    500: grpc.StatusCode.INTERNAL,
    503: grpc.StatusCode.UNAVAILABLE,
}
"""By the HTTP status that REST answers with."""

log = logging.getLogger(__name__)


class Service:
    """Answers for one model. ``inference`` returns None until the model is loaded."""

    def __init__(
        self,
        config: ServeConfig,
        readiness: Readiness,
        measures: Measures,
        inference: Callable[[], Inference | None],
    ) -> None:
        self._config = config
        self._readiness = readiness
        self._measures = measures
        self._inference = inference

    def handlers(self) -> Any:
        """Return the methods as a gRPC server takes them."""
        answering: dict[str, Callable[[Any], bytes | Awaitable[bytes]]] = {
            "ServerLive": lambda _: serialized(ServerLiveResponse(live=True)),
            "ServerReady": lambda _: serialized(ServerReadyResponse(ready=self._readiness.why_not() is None)),
            "ModelReady": self._model_ready,
            "ServerMetadata": lambda _: serialized(_SERVER_METADATA),
            "ModelMetadata": self._model_metadata,
            "ModelInfer": self._infer,
        }
        # without a deserializer: what is no message is refused in words, and not as a failure of the server
        methods = {
            name: grpc.unary_unary_rpc_method_handler(partial(self._call, name, answering[name])) for name in METHODS
        }
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    async def _call(
        self, method: str, answering: Callable[[Any], bytes | Awaitable[bytes]], content: bytes, context: Any
    ) -> bytes:
        """Answer one call: the outermost frame of every method."""
        status, message = OK, ""
        try:
            answer = answering(_decoded(method, content))
            return answer if isinstance(answer, bytes) else await answer
        except RequestError as error:
            status, message = error.status, str(error)
        except Exception:
            log.exception("a call failed", extra={"method": method})
            status, message = 500, FAILED
        finally:
            self._measures.request(method, status)
        await context.abort(CODES[status], shortened(message))
        return b""  # abort has raised

    def _model_ready(self, request: Any) -> bytes:
        self._check(request.name, request.version)
        return serialized(ModelReadyResponse(ready=self._readiness.why_not() is None))

    def _model_metadata(self, request: Any) -> bytes:
        self._check(request.name, request.version)
        metadata = model_metadata(self._config, self._loaded().model)
        return serialized(
            ModelMetadataResponse(
                name=metadata.name,
                versions=metadata.versions,
                platform=metadata.platform,
                inputs=map(_tensor, metadata.inputs),
                outputs=map(_tensor, metadata.outputs),
            )
        )

    def _infer(self, request: Any) -> bytes | Awaitable[bytes]:
        self._check(request.model_name, request.model_version)
        inference = self._loaded()
        forms = Forms(inference)
        form = forms.raw if request.raw_input_contents else forms.typed
        return inference.answer_as(form, partial(read_message, request))

    def _check(self, model: str, version: str) -> None:
        other = not_here(self._config, model, version)
        if other is not None:
            raise RequestError(other, 404)

    def _loaded(self) -> Inference:
        inference = self._inference()
        if inference is None:
            raise RequestError(self._readiness.not_ready(), 503)
        return inference


def _decoded(method: str, content: bytes) -> Any:
    try:
        return request_type(method).FromString(content)
    except DecodeError as error:
        raise RequestError(f"the call has no {method}Request: {error}") from error


_SERVER_METADATA = ServerMetadataResponse(name=SERVER.name, version=SERVER.version, extensions=SERVER.extensions)


def _tensor(metadata: TensorMetadata) -> Any:
    return ModelMetadataResponse.TensorMetadata(name=metadata.name, datatype=metadata.datatype, shape=metadata.shape)
