"""Routes of the Open Inference Protocol v2, plain JSON, feedback and metrics, and what answers them."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from evermodel.contract import ServeConfig
from evermodel_runtime.serve.answers import HEADER_LENGTH, JSON, Answer, error_answer, json_answer
from evermodel_runtime.serve.bodies import check_type, decompressed
from evermodel_runtime.serve.erasing import Eraser
from evermodel_runtime.serve.feedback import FeedbackForwarder
from evermodel_runtime.serve.inference import Inference
from evermodel_runtime.serve.measures import Measures
from evermodel_runtime.serve.metadata import SERVER, model_metadata, not_here
from evermodel_runtime.serve.openapi import document
from evermodel_runtime.serve.protocol import (
    Liveness,
    ModelList,
    ModelReadiness,
    RequestError,
    ServerReadiness,
)
from evermodel_runtime.serve.readiness import Readiness
from evermodel_runtime.serve.requests import Request

CONTENT_ENCODING = b"content-encoding"
CONTENT_TYPE = b"content-type"
NOT_READY_RETRY = "5"
FAILED = "internal error: the pod's log has the details"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Route:
    """One path: its name in metrics and what answers it, by method."""

    name: str
    get: Callable[[], Answer] | None = None
    post: Callable[[bytes, bytes | None], Answer | Awaitable[Answer]] | None = None
    """Takes the body, and how many bytes of it are JSON where the caller says so."""
    delete: Callable[[str], Awaitable[Answer]] | None = None
    """Takes the path."""

    def allowed(self) -> str:
        """Return the value of the Allow header."""
        if self.delete is not None:
            return "DELETE"
        return "GET, HEAD" if self.get is not None else "POST"


class Application:
    """Answers HTTP for one model. ``inference`` is set once the model is loaded."""

    def __init__(
        self,
        config: ServeConfig,
        readiness: Readiness,
        feedback: FeedbackForwarder,
        eraser: Eraser,
        measures: Measures,
    ) -> None:
        self.inference: Inference | None = None
        self.before_metrics: Callable[[], None] = lambda: None
        self._config = config
        self._readiness = readiness
        self._feedback = feedback
        self._eraser = eraser
        self._measures = measures
        self._model_path = f"/v2/models/{config.model}"
        self._version_path = f"{self._model_path}/versions/{config.version}"
        self._records_path = f"{self._model_path}/records/"
        self._record = Route("record", delete=self._erase)
        self._routes = self._make_routes()
        self._by_target = {path.encode(): route for path, route in self._routes.items()}

    def _make_routes(self) -> dict[str, Route]:
        routes = {
            "/v2": Route("server", get=lambda: json_answer(SERVER)),
            "/v2/health/live": Route("live", get=lambda: json_answer(Liveness(live=True))),
            "/v2/health/ready": Route("ready", get=self._ready),
            f"{self._model_path}/feedback": Route("feedback", post=self._take_feedback),
            f"{self._records_path}{{id}}": self._record,
            "/metrics": Route("metrics", get=self._metrics),
            "/openapi.json": Route("openapi", get=self._openapi),
        }
        for path in (self._model_path, self._version_path):
            routes[path] = Route("model", get=self._model)
            routes[f"{path}/ready"] = Route("model_ready", get=self._model_ready)
            routes[f"{path}/infer"] = Route("infer", post=self._infer)
        plain_path = f"/v1/models/{self._config.model}"
        routes["/v1/models"] = Route("models", get=lambda: json_answer(ModelList((self._config.model,))))
        routes[plain_path] = Route("model_ready", get=self._model_ready)
        for path in (plain_path, f"{plain_path}/versions/{self._config.version}"):
            routes[f"{path}:predict"] = Route("predict", post=self._predict)
        return routes

    @property
    def draining(self) -> bool:
        """Whether callers should open their next connection elsewhere."""
        return self._readiness.draining

    def answer(self, request: Request) -> Answer | Awaitable[Answer]:
        """Answer one request, now or later: the outermost frame of every handler."""
        route = self._by_target.get(request.target) or self._found(request.path)
        try:
            answer = self._answer(route, request)
        except RequestError as error:
            answer = error_answer(error.status, str(error))
        except Exception:
            log.exception("a request failed", extra={"path": request.path})
            answer = error_answer(500, FAILED)
        if isinstance(answer, Answer):
            self._count(route, answer)
            return answer
        return self._later(route, request, answer)

    def _found(self, path: str) -> Route | None:
        if path.startswith(self._records_path) and path != self._records_path:
            return self._record
        return self._routes.get(path)

    async def _later(self, route: Route | None, request: Request, coming: Awaitable[Answer]) -> Answer:
        try:
            answer = await coming
        except RequestError as error:
            answer = error_answer(error.status, str(error))
        except Exception:
            log.exception("a request failed", extra={"path": request.path})
            answer = error_answer(500, FAILED)
        self._count(route, answer)
        return answer

    def _count(self, route: Route | None, answer: Answer) -> None:
        self._measures.request(route.name if route is not None else "unknown", answer.status)

    def _answer(self, route: Route | None, request: Request) -> Answer | Awaitable[Answer]:
        if request.problem is not None:  # raised, it would hold the request by its traceback, for ever: gc=False
            return error_answer(request.problem.status, str(request.problem))
        if route is None:
            return error_answer(404, self._unknown(request.path))
        if request.method == "POST" and route.post is not None:
            return route.post(_body(request), request.headers.get(HEADER_LENGTH))
        if request.method in ("GET", "HEAD") and route.get is not None:
            return route.get()
        if request.method == "DELETE" and route.delete is not None:
            return route.delete(request.path)
        refusal = error_answer(405, f"{request.method} is not possible here: use {route.allowed()}")
        return Answer(refusal.status, refusal.body, headers=((b"allow", route.allowed().encode()),))

    def _infer(self, body: bytes, header_length: bytes | None) -> Answer | Awaitable[Answer]:
        if self.inference is None:
            return self._not_ready()
        return self.inference.answer(body, header_length)

    def _predict(self, body: bytes, header_length: bytes | None) -> Answer | Awaitable[Answer]:
        if self.inference is None:
            return self._not_ready()
        if header_length is not None:
            return error_answer(415, f"instances are no tensors: send bytes to {self._model_path}/infer")
        return self.inference.answer_plainly(body)

    def _take_feedback(self, body: bytes, header_length: bytes | None) -> Answer | Awaitable[Answer]:
        if header_length is not None:
            return error_answer(
                415, "labels are no tensors: send them as JSON, without Inference-Header-Content-Length"
            )
        return self._feedback.answer(body)

    def _erase(self, path: str) -> Awaitable[Answer]:
        return self._eraser.erase(path.removeprefix(self._records_path))

    def _model(self) -> Answer:
        if self.inference is None:
            return self._not_ready()
        return json_answer(model_metadata(self._config, self.inference.model))

    def _ready(self) -> Answer:
        reason = self._readiness.why_not()
        if reason is not None:
            return json_answer(ServerReadiness(ready=False, error=reason), 503)
        return json_answer(ServerReadiness(ready=True))

    def _model_ready(self) -> Answer:
        reason = self._readiness.why_not()
        if reason is not None:
            return json_answer(ModelReadiness(self._config.model, ready=False, error=reason), 503)
        return json_answer(ModelReadiness(self._config.model, ready=True))

    def _not_ready(self) -> Answer:
        return error_answer(503, self._readiness.not_ready(), retry_after=NOT_READY_RETRY)

    def _metrics(self) -> Answer:
        self._measures.ready.set(0 if self._readiness.why_not() else 1)
        self.before_metrics()
        return self._measures.answer()

    def _openapi(self) -> Answer:
        schema = self.inference.model.schema if self.inference is not None else None
        names = {path: route.name for path, route in self._routes.items()}
        return json_answer(document(self._config, names, schema))

    def _unknown(self, path: str) -> str:
        other = None
        match path.removesuffix(":predict").split("/")[1:]:
            case ["v1" | "v2", "models", model, "versions", version, *_]:
                other = not_here(self._config, model, version)
            case ["v1" | "v2", "models", model, *_]:
                other = not_here(self._config, model)
        return other or f"there is nothing at this path: see {self._model_path}"


def _body(request: Request) -> bytes:
    kind = request.headers.get(CONTENT_TYPE, JSON)
    if kind != JSON:
        check_type(kind)
    encoding = request.headers.get(CONTENT_ENCODING)
    return request.body if encoding is None else decompressed(request.body, encoding)
