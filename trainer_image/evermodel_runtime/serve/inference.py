"""One inference request: body in, answer out."""

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from numpy.typing import NDArray

from evermodel.contract import PredictResponse, Scalar, ServeConfig, label_text
from evermodel_runtime.serve.answers import Answer, binary_answer, error_answer, json_answer
from evermodel_runtime.serve.binary import SIZE, encoded, split, with_binary
from evermodel_runtime.serve.binning import BinCounter
from evermodel_runtime.serve.captures import CaptureBuffer
from evermodel_runtime.serve.ids import PredictionIds
from evermodel_runtime.serve.instances import read_instances
from evermodel_runtime.serve.matrix import MatrixRequest, read_matrix
from evermodel_runtime.serve.measures import Measures
from evermodel_runtime.serve.model import (
    ModelMismatchError,
    ModelRunError,
    Prediction,
    RowsNotAnsweredError,
    ServedModel,
)
from evermodel_runtime.serve.protocol import (
    Datatype,
    InferOutput,
    InferRequest,
    InferResponse,
    RequestError,
    ResponseParameters,
    decode_request,
)
from evermodel_runtime.serve.rows import Rows, read_rows

LABEL = "label"
PREDICTION = "prediction"
"""The output of a regressor."""
PROBABILITIES = "probabilities"

log = logging.getLogger(__name__)


class Asked(msgspec.Struct, frozen=True, gc=False):
    """A request that was read and checked."""

    id: str | None
    outputs: dict[str, bool]
    """Those that are wanted, and whether as bytes."""
    rows: Rows
    started: float
    form: Callable[["Asked", list[str], Prediction], Answer]
    """Puts the answer, with the rows' ids, into the form that the request came in."""


class Inference:
    """Answers POST …/infer and …:predict with a loaded model."""

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
        self._name = config.model
        self._version = str(config.version)
        self._ids = ids
        self._captures = captures
        self._measures = measures
        self._clock = clock
        self._answer = PREDICTION if model.predicts_numbers else LABEL
        self._all_outputs = {self._answer: False} | ({PROBABILITIES: False} if model.has_probabilities else {})
        self._classes = _as_answered(model.label_type, model.manifest.classes)

    def answer(self, body: bytes, header_length: bytes | None = None) -> Answer | Awaitable[Answer]:
        """Answer one request; never raises for what a caller sent.

        Parameters
        ----------
        body : bytes
            JSON, and the bytes of tensors after it.
        header_length : bytes, optional
            How many bytes the JSON has, where others follow.
        """
        try:
            asked = self._read(body, header_length)
        except RequestError as error:
            return self._refused_unread(error)
        return self._predicted(asked)

    def answer_plainly(self, body: bytes) -> Answer | Awaitable[Answer]:
        """Answer one request of plain JSON; never raises for what a caller sent."""
        started = time.perf_counter()
        try:
            rows = read_instances(self.model.schema, body)
        except RequestError as error:
            return self._refused_unread(error)
        return self._predicted(Asked(None, self._all_outputs, rows, started, self._plain))

    def _predicted(self, asked: Asked) -> Answer | Awaitable[Answer]:
        self._measures.batch(asked.rows.count)
        try:
            return self._answered(asked, self.model.predict(asked.rows.inputs()))
        except ModelRunError as error:
            return self._refused(error)

    def _read(self, body: bytes, header_length: bytes | None) -> Asked:
        started = time.perf_counter()
        if header_length is None and not self.model.schema.texts:
            matrix = read_matrix(self.model.schema, body)
            if matrix is not None:
                asked, rows = matrix
                return Asked(asked.id, self._wanted(asked), rows, started, self._tensors)
        head, content = (body, None) if header_length is None else split(body, header_length)
        request = decode_request(head)
        outputs = self._wanted(request)
        inputs = request.inputs if content is None else with_binary(request.inputs, content)
        return Asked(request.id, outputs, read_rows(self.model.schema, inputs), started, self._tensors)

    def _answered(self, asked: Asked, prediction: Prediction) -> Answer:
        ids = self._ids.issue(prediction.signed, self._clock())
        if self._captures is not None:
            self._captures.keep(ids, asked.rows, asked.started)
        if self.bins is not None:
            self.bins.add(asked.rows, prediction.signed)
        answer = asked.form(asked, ids, prediction)
        self._measures.inference(asked.rows.count, time.perf_counter() - asked.started)
        return answer

    def _tensors(self, asked: Asked, ids: list[str], prediction: Prediction) -> Answer:
        content: list[bytes] = []
        response = InferResponse(
            model_name=self._name,
            model_version=self._version,
            id=asked.id or ids[0],
            parameters=ResponseParameters(ids),
            outputs=[
                self._output(name, prediction, content if binary else None) for name, binary in asked.outputs.items()
            ],
        )
        return binary_answer(response, content) if content else json_answer(response)

    def _plain(self, _asked: Asked, ids: list[str], prediction: Prediction) -> Answer:
        response = PredictResponse(
            predictions=self._labels(prediction),
            prediction_ids=ids,
            model_name=self._name,
            model_version=self._version,
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
        datatype, shape, elements = self._elements(name, prediction)
        if content is None:
            return InferOutput(name, datatype, shape, elements if isinstance(elements, list) else elements.tolist())
        content.append(encoded(datatype, elements))
        return InferOutput(name, datatype, shape, parameters={SIZE: len(content[-1])})

    def _elements(
        self, name: str, prediction: Prediction
    ) -> tuple[Datatype, tuple[int, ...], list[Any] | NDArray[Any]]:
        if name == PROBABILITIES and prediction.probabilities is not None:
            return Datatype.FP64, prediction.probabilities.shape, prediction.probabilities.ravel()
        labels = self._labels(prediction)
        return self.model.label_type, (len(labels),), labels

    def _labels(self, prediction: Prediction) -> list[Any]:
        return prediction.signed if self.model.label_type is Datatype.BYTES else prediction.labels

    def _refused_unread(self, error: RequestError) -> Answer:
        self._measures.refused += 1
        return error_answer(error.status, str(error))

    def _refused(self, error: ModelRunError) -> Answer:
        """With text columns a run fails for a category that training has not seen; with numbers it never should."""
        if isinstance(error, RowsNotAnsweredError):
            self._measures.refused += 1
            return error_answer(400, f"the model does not answer these rows: {error}")
        if self.model.schema.texts and not isinstance(error, ModelMismatchError):
            self._measures.refused += 1
            return error_answer(400, f"the model cannot score these rows, perhaps for a text it does not know: {error}")
        log.error("the model failed", extra={"error": str(error)})
        self._measures.errors += 1
        return error_answer(500, f"the model failed on these rows: {error}")


def _as_answered(datatype: Datatype, classes: Sequence[Scalar]) -> list[Scalar]:
    return [label_text(label) if datatype is Datatype.BYTES else label for label in classes]
