"""One inference request: body in, answer out."""

import logging
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from evermodel.contract import ServeConfig
from evermodel_runtime.quality.prediction_id import Signer
from evermodel_runtime.serve.answers import Answer, error_answer, json_answer
from evermodel_runtime.serve.captures import CaptureBuffer
from evermodel_runtime.serve.matrix import read_matrix
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
    InferResponse,
    RequestedOutput,
    RequestError,
    ResponseParameters,
    decode_request,
)
from evermodel_runtime.serve.rows import Rows, read_rows

LABEL = "label"
PREDICTION = "prediction"
"""The output of a regressor."""
PROBABILITIES = "probabilities"
NONCE_BYTES = 8
NONCES_AT_ONCE = 512

log = logging.getLogger(__name__)


class PredictionIds:
    """Issues signed ids, drawing random bytes for many at once."""

    def __init__(self, signer: Signer, version: int, entropy: Callable[[int], bytes] = os.urandom) -> None:
        self._signer = signer
        self._version = version
        self._entropy = entropy
        self._block = b""
        self._at = 0

    def issue(self, predicted: Sequence[str] | Sequence[float], at: float) -> list[str]:
        """Return one id for each predicted class or number."""
        return [self._signer.issue(self._version, at, one, self._nonce()) for one in predicted]

    def _nonce(self) -> bytes:
        if self._at >= len(self._block):
            self._block = self._entropy(NONCE_BYTES * NONCES_AT_ONCE)
            self._at = 0
        start = self._at
        self._at = start + NONCE_BYTES
        return self._block[start : self._at]


class Asked(msgspec.Struct, frozen=True, gc=False):
    """A request that was read and checked."""

    id: str | None
    outputs: Sequence[str]
    rows: Rows
    started: float


class Inference:
    """Answers POST …/infer with a loaded model."""

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
        self._name = config.model
        self._version = str(config.version)
        self._ids = ids
        self._captures = captures
        self._measures = measures
        self._clock = clock
        self._answer = PREDICTION if model.predicts_numbers else LABEL
        self._all_outputs = (self._answer, PROBABILITIES) if model.has_probabilities else (self._answer,)

    def answer(self, body: bytes) -> Answer | Awaitable[Answer]:
        """Answer one request; never raises for what a caller sent."""
        try:
            asked = self._read(body)
            return self._answered(asked, self.model.predict(asked.rows.inputs()))
        except RequestError as error:
            return error_answer(error.status, str(error))
        except ModelRunError as error:
            return self._refused(error)

    def _read(self, body: bytes) -> Asked:
        started = time.perf_counter()
        matrix = None if self.model.schema.texts else read_matrix(self.model.schema, body)
        if matrix is not None:
            asked, rows = matrix
            return Asked(asked.id, self._wanted(asked.outputs), rows, started)
        request = decode_request(body)
        outputs = self._wanted(request.outputs)
        return Asked(request.id, outputs, read_rows(self.model.schema, request.inputs), started)

    def _answered(self, asked: Asked, prediction: Prediction) -> Answer:
        ids = self._ids.issue(prediction.signed, self._clock())
        if self._captures is not None:
            _capture(self._captures, ids, asked.rows)
        response = InferResponse(
            model_name=self._name,
            model_version=self._version,
            id=asked.id or ids[0],
            parameters=ResponseParameters(ids),
            outputs=[self._output(name, prediction) for name in asked.outputs],
        )
        answer = json_answer(response)
        self._measures.inference(asked.rows.count, time.perf_counter() - asked.started)
        return answer

    def _wanted(self, outputs: Sequence[RequestedOutput] | None) -> Sequence[str]:
        if not outputs:
            return self._all_outputs
        for output in outputs:
            if output.name not in self._all_outputs:
                known = " and ".join(repr(name) for name in self._all_outputs)
                raise RequestError(f"output {output.name!r} is not known: this model answers with {known}")
            if output.parameters and output.parameters.get("binary_data"):
                raise RequestError(
                    f"output {output.name!r} is asked for as binary data, which is not supported: use JSON"
                )
        return [output.name for output in outputs]

    def _output(self, name: str, prediction: Prediction) -> InferOutput:
        count = len(prediction.labels)
        if name == PROBABILITIES and prediction.probabilities is not None:
            width = prediction.probabilities.shape[1]
            return InferOutput(name, Datatype.FP64, (count, width), prediction.probabilities.ravel().tolist())
        labels: list[Any] = prediction.labels
        if self.model.label_type is Datatype.BYTES:
            labels = prediction.signed
        return InferOutput(name, self.model.label_type, (count,), labels)

    def _refused(self, error: ModelRunError) -> Answer:
        """With text columns a run fails for a category that training has not seen; with numbers it never should."""
        if isinstance(error, RowsNotAnsweredError):
            return error_answer(400, f"the model does not answer these rows: {error}")
        if self.model.schema.texts and not isinstance(error, ModelMismatchError):
            return error_answer(400, f"the model cannot score these rows, perhaps for a text it does not know: {error}")
        log.error("the model failed", extra={"error": str(error)})
        self._measures.errors += 1
        return error_answer(500, f"the model failed on these rows: {error}")


def _capture(captures: CaptureBuffer, ids: Sequence[str], rows: Rows) -> None:
    raw = rows.as_received()
    if not rows.texts:
        for prediction_id, row in zip(ids, raw, strict=True):
            captures.add(prediction_id, row)
        return
    for prediction_id, row, texts in zip(ids, raw, zip(*rows.texts, strict=True), strict=True):
        captures.add(prediction_id, row, sum(map(len, texts)))
