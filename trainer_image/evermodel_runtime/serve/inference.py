"""One inference request: body in, answer out."""

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

import msgspec
from numpy.typing import NDArray

from evermodel.contract import PredictResponse, Scalar, ServeConfig, label_text
from evermodel_runtime.serve.answers import Answer, binary_answer, json_answer
from evermodel_runtime.serve.binary import SIZE, encoded, split, with_binary
from evermodel_runtime.serve.binning import BinCounter
from evermodel_runtime.serve.callers import caller_ids
from evermodel_runtime.serve.captures import CaptureBuffer
from evermodel_runtime.serve.ids import PredictionIds
from evermodel_runtime.serve.instances import read_instances
from evermodel_runtime.serve.matrix import MatrixRequest, read_matrix
from evermodel_runtime.serve.measures import Measures
from evermodel_runtime.serve.model import (
    ModelMismatchError,
    ModelRunError,
    RowsNotAnsweredError,
    ServedModel,
)
from evermodel_runtime.serve.prediction import Prediction
from evermodel_runtime.serve.protocol import (
    Datatype,
    InferOutput,
    InferRequest,
    InferResponse,
    RequestError,
    ResponseParameters,
    Tensor,
    decode_request,
)
from evermodel_runtime.serve.rows import Rows, read_rows

LABEL = "label"
PREDICTION = "prediction"
"""The output of a regressor."""
PROBABILITIES = "probabilities"

log = logging.getLogger(__name__)
T = TypeVar("T")


class Asked(msgspec.Struct, Generic[T], frozen=True, gc=False):
    """A request that was read and checked."""

    id: str | None
    outputs: dict[str, bool]
    """Those that are wanted, and whether as bytes."""
    rows: Rows
    started: float
    form: "Form[T]"
    """Puts the answer, with the rows' ids, into the form that the request came in."""
    callers: Sequence[str] | None = None
    """What the caller calls the rows, where that is to be kept."""


Form = Callable[[Asked[T], Sequence[str], Prediction], T]


class Inference:
    """Answers POST …/infer and …:predict, and gRPC, with a loaded model.

    What cannot be answered is a RequestError, raised at once or by what is awaited.
    """

    def __init__(
        self,
        config: ServeConfig,
        model: ServedModel,
        ids: PredictionIds,
        *,
        measures: Measures,
        captures: CaptureBuffer | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.model = model
        self.bins: BinCounter | None = None
        """Set once what the model learnt from is known."""
        self.name = config.model
        self.version = str(config.version)
        self._ids = ids
        self._captures = captures
        self._measures = measures
        self._clock = clock
        self._answer = PREDICTION if model.predicts_numbers else LABEL
        self._all_outputs = {self._answer: False} | ({PROBABILITIES: False} if model.has_probabilities else {})
        self._classes = _as_answered(model.label_type, model.manifest.classes)

    def answer(self, body: bytes, header_length: bytes | None = None) -> Answer | Awaitable[Answer]:
        """Answer one request of tensors as REST has them.

        Parameters
        ----------
        body : bytes
            JSON, and the bytes of tensors after it.
        header_length : bytes, optional
            How many bytes the JSON has, where others follow.
        """
        return self._respond(lambda: self._read(body, header_length))

    def answer_plainly(self, body: bytes) -> Answer | Awaitable[Answer]:
        """Answer one request of plain JSON."""
        started = time.perf_counter()

        def asked() -> Asked[Answer]:
            rows, ids = read_instances(self.model.schema, body)
            callers = caller_ids(self._captures, None, ids, rows.count)
            return Asked(None, self._all_outputs, rows, started, self._plain, callers)

        return self._respond(asked)

    def answer_as(self, form: Form[T], read: Callable[[], tuple[InferRequest, Sequence[Tensor]]]) -> T | Awaitable[T]:
        """Answer one request that comes otherwise than as JSON.

        Parameters
        ----------
        form : callable
            Makes the answer of the request, its rows' ids and the prediction.
        read : callable
            Returns the request, and its inputs.
        """
        started = time.perf_counter()

        def asked() -> Asked[T]:
            request, inputs = read()
            rows = read_rows(self.model.schema, inputs)
            return self._asked(request, rows, started, form)

        return self._respond(asked)

    def elements(self, name: str, prediction: Prediction) -> tuple[Datatype, tuple[int, ...], list[str] | NDArray[Any]]:
        """Return type, shape and elements of an output, flat."""
        if name == PROBABILITIES and prediction.probabilities is not None:
            return Datatype.FP64, prediction.probabilities.shape, prediction.probabilities.ravel()
        return self.model.label_type, (prediction.rows,), prediction.elements

    def _respond(self, read: Callable[[], Asked[T]]) -> T | Awaitable[T]:
        """Answer what is read; what is not what the model takes is counted."""
        try:
            asked = read()
        except RequestError:
            self._measures.refused += 1
            raise
        return self._predicted(asked)

    def _predicted(self, asked: Asked[T]) -> T | Awaitable[T]:
        self._measures.batch(asked.rows.count)
        try:
            return self._answered(asked, self.model.predict(asked.rows.inputs()))
        except ModelRunError as error:
            raise self._refusal(error) from error

    def _read(self, body: bytes, header_length: bytes | None) -> Asked[Answer]:
        started = time.perf_counter()
        if header_length is None and not self.model.schema.texts:
            matrix = read_matrix(self.model.schema, body)
            if matrix is not None:
                asked, rows = matrix
                return self._asked(asked, rows, started, self._tensors)
        head, content = (body, None) if header_length is None else split(body, header_length)
        request = decode_request(head)
        inputs = request.inputs if content is None else with_binary(request.inputs, content)
        return self._asked(request, read_rows(self.model.schema, inputs), started, self._tensors)

    def _asked(self, request: InferRequest | MatrixRequest, rows: Rows, started: float, form: Form[T]) -> Asked[T]:
        ids = None if request.parameters is None else request.parameters.get("ids")
        callers = caller_ids(self._captures, request.id, ids, rows.count)
        return Asked(request.id, self._wanted(request), rows, started, form, callers)

    def _answered(self, asked: Asked[T], prediction: Prediction) -> T:
        ids = self._ids.issue(prediction, self._clock())
        if self._captures is not None:
            self._captures.keep(ids, asked.rows, asked.started, asked.callers)
        if self.bins is not None and not self.bins.full:
            self.bins.add(asked.rows, prediction.signed)
        answer = asked.form(asked, ids, prediction)
        self._measures.inference(asked.rows.count, time.perf_counter() - asked.started)
        return answer

    def _tensors(self, asked: Asked[Answer], ids: Sequence[str], prediction: Prediction) -> Answer:
        content: list[bytes] = []
        response = InferResponse(
            model_name=self.name,
            model_version=self.version,
            id=asked.id or ids[0],
            parameters=ResponseParameters(ids),
            outputs=[
                self._output(name, prediction, content if binary else None) for name, binary in asked.outputs.items()
            ],
        )
        return binary_answer(response, content) if content else json_answer(response)

    def _plain(self, _asked: Asked[Answer], ids: Sequence[str], prediction: Prediction) -> Answer:
        response = PredictResponse(
            predictions=self._labels(prediction),
            prediction_ids=ids,
            model_name=self.name,
            model_version=self.version,
            probabilities=None if prediction.probabilities is None else prediction.probabilities.tolist(),
            classes=None if prediction.probabilities is None else self._classes,
        )
        return json_answer(response)

    def _wanted(self, request: InferRequest | MatrixRequest) -> dict[str, bool]:
        binary = bool(request.parameters and request.parameters.get("binary_data_output"))
        if not request.outputs:
            return dict.fromkeys(self._all_outputs, True) if binary else self._all_outputs
        wanted = {}
        for output in request.outputs:
            if output.name not in self._all_outputs:
                known = " and ".join(repr(name) for name in self._all_outputs)
                raise RequestError(f"output {output.name!r} is not known: this model answers with {known}")
            wanted[output.name] = bool((output.parameters or {}).get("binary_data", binary))
        return wanted

    def _output(self, name: str, prediction: Prediction, content: list[bytes] | None) -> InferOutput:
        """Return an output, its elements within it or, where there is one, at the end of ``content``."""
        datatype, shape, elements = self.elements(name, prediction)
        if content is None:
            return InferOutput(name, datatype, shape, elements if isinstance(elements, list) else elements.tolist())
        content.append(encoded(datatype, elements))
        return InferOutput(name, datatype, shape, parameters={SIZE: len(content[-1])})

    def _labels(self, prediction: Prediction) -> list[Any]:
        return prediction.signed if self.model.label_type is Datatype.BYTES else prediction.labels

    def _refusal(self, error: ModelRunError) -> RequestError:
        """With text columns a run fails for a category that training has not seen; with numbers it never should."""
        if isinstance(error, RowsNotAnsweredError):
            self._measures.refused += 1
            return RequestError(f"the model does not answer these rows: {error}")
        if self.model.schema.texts and not isinstance(error, ModelMismatchError):
            self._measures.refused += 1
            return RequestError(f"the model cannot score these rows, perhaps for a text it does not know: {error}")
        log.error("the model failed", extra={"error": str(error)})
        self._measures.errors += 1
        return RequestError(f"the model failed on these rows: {error}", 500)


def _as_answered(datatype: Datatype, classes: Sequence[Scalar]) -> list[Scalar]:
    return [label_text(label) if datatype is Datatype.BYTES else label for label in classes]
