"""Inference with a model that answers many rows in the time of one: one call for what one loop pass reads."""

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from evermodel.contract import ModelFormat, ServeConfig
from evermodel_runtime.serve.ids import PredictionIds
from evermodel_runtime.serve.inference import Asked, Inference
from evermodel_runtime.serve.model import ModelRunError, ServedModel
from evermodel_runtime.serve.prediction import Prediction
from evermodel_runtime.serve.rows import joined

T = TypeVar("T")


class BatchingInference(Inference):
    """Waits for the requests that came together, and asks the model once for all of them.

    A call of scikit-learn costs a millisecond, whatever the number of rows; ONNX Runtime needs no batches.
    """

    def __init__(self, config: ServeConfig, model: ServedModel, ids: PredictionIds, **more: Any) -> None:
        super().__init__(config, model, ids, **more)
        self._waiting: list[tuple[Asked[Any], asyncio.Future[Prediction]]] = []

    def _predicted(self, asked: Asked[T]) -> Awaitable[T]:
        """Answer one request, together with those that were read in the same pass."""
        return self._answer_later(asked)

    async def _answer_later(self, asked: Asked[T]) -> T:
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._predict_all)
        future: asyncio.Future[Prediction] = loop.create_future()
        self._waiting.append((asked, future))
        try:
            return self._answered(asked, await future)
        except ModelRunError as error:
            raise self._refusal(error) from error

    def _predict_all(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._measures.batch(sum(asked.rows.count for asked, _ in waiting))
        try:
            prediction = self.model.predict(joined([asked.rows for asked, _ in waiting]))
        except ModelRunError:
            for asked, future in waiting:  # one bad row must not refuse the others
                self._predict_alone(asked, future)
            return
        start = 0
        for asked, future in waiting:
            stop = start + asked.rows.count
            if not future.done():  # its caller may be gone
                future.set_result(prediction.between(start, stop))
            start = stop

    def _predict_alone(self, asked: Asked[Any], future: asyncio.Future[Prediction]) -> None:
        if future.done():
            return
        self._measures.batch(asked.rows.count)
        try:
            future.set_result(self.model.predict(asked.rows.inputs()))
        except ModelRunError as error:
            future.set_exception(error)


def inference_of(config: ServeConfig, model: ServedModel, ids: PredictionIds, **more: Any) -> Inference:
    """Return what suits the model's format."""
    kind = BatchingInference if model.manifest.format is ModelFormat.SKOPS else Inference
    return kind(config, model, ids, **more)
