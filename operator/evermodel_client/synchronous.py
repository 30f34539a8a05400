"""The client that waits. Its twin in asynchronous.py differs by ``await`` alone."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import httpx

from evermodel_client.addresses import JSON, TIMEOUT, Addresses
from evermodel_client.messages import (
    Feedback,
    Labels,
    Prediction,
    Request,
    feedback_requests,
    predict_requests,
    read_erased,
    read_predictions,
    read_results,
)
from evermodel_client.retries import Attempts, Retry
from evermodel_client.rows import Table, rows_of


class Client:
    """Talks to one model. May be shared by threads; close it, or use it in a ``with`` statement.

    Parameters
    ----------
    url : str
        What ``status.url`` of the ModelDeployment says.
    model : str
        Its name.
    retry : Retry, optional
        How long a request is tried.
    http : httpx.Client, optional
        A client of one's own, for certificates, headers or timeouts; it is not closed here.
    """

    def __init__(self, url: str, model: str, *, retry: Retry | None = None, http: httpx.Client | None = None) -> None:
        self._addresses = Addresses.of(url, model)
        self._retry = retry or Retry()
        self._own = http is None
        self._http = http or httpx.Client(timeout=TIMEOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        if self._own:
            self._http.close()

    def ready(self) -> bool:
        """Tell whether the model answers at this moment."""
        try:
            return self._http.get(self._addresses.model).is_success
        except httpx.TransportError:
            return False

    def predict(self, rows: Table, ids: Sequence[str] | None = None) -> list[Prediction]:
        """Predict rows: lists in column order, dicts by column name, an array, or a DataFrame.

        Many rows are sent in several requests. One whose answer was lost is sent again: it is then predicted twice,
        and one of the predictions never gets a label.

        Parameters
        ----------
        rows : table
            What to predict.
        ids : sequence of str, optional
            What you call the rows, to send labels for; where the model accepts such ids.

        Raises
        ------
        RefusedError
            When a row is wrong; the message names the row and the column.
        UnavailableError
            When nobody answered within the bounds of ``retry``.
        """
        answers = (self._sent(self._addresses.predict, request) for request in predict_requests(rows_of(rows), ids))
        return [prediction for answer in answers for prediction in read_predictions(answer)]

    def feedback(self, labels: Labels) -> Feedback:
        """Tell the true labels by the ids of their predictions, or your own; they are on disk when this returns.

        A label counts once, however often it is sent: after an error all of them may be sent again.

        Raises
        ------
        RefusedError
            When the request is wrong; labels that are wrong by themselves are told in the result, each by itself.
        UnavailableError
            When nobody answered within the bounds of ``retry``.
        """
        answers = (self._sent(self._addresses.feedback, request) for request in feedback_requests(labels))
        return Feedback(results=tuple(result for answer in answers for result in read_results(answer)))

    def erase(self, record_id: str) -> int:
        """Erase what was captured of a prediction: it is in no file of the hub when this returns. Again does no harm.

        Parameters
        ----------
        record_id : str
            The prediction's id, or your own where the model accepts such ids.

        Returns
        -------
        int
            Rows that were stored: 0 also where one is on its way, which is not stored then.

        Raises
        ------
        RefusedError
            When no prediction of the model can have this id (status 404).
        UnavailableError
            When nobody answered within the bounds of ``retry``.
        """
        return read_erased(self._sent(self._addresses.record(record_id), Request(b"", 0), "DELETE"))

    def _sent(self, url: str, request: Request, method: str = "POST") -> bytes:
        attempts = Attempts(retry=self._retry, first_row=request.first, clock=time.monotonic, chance=random.random)
        while True:
            try:
                response = self._http.request(method, url, content=request.body, headers=JSON)
            except httpx.TransportError as error:
                pause = attempts.lost(error)
            else:
                if response.is_success:
                    return response.content
                pause = attempts.refused(response)
            time.sleep(pause)
