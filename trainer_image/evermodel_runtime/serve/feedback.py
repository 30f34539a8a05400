"""Labels on their way to the hub. Nothing is acknowledged here: the answer is the hub's, given when it is on disk."""

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, field

import msgspec

from evermodel.contract import FeedbackRequest, FeedbackResponse, FeedbackRow, LabelStatus
from evermodel_runtime.serve.answers import Answer, error_answer, json_answer
from evermodel_runtime.serve.hub_client import LATER, RETRY_AFTER, HubAnswer, HubClient, HubUnreachableError
from evermodel_runtime.serve.protocol import malformed

ROWS_AT_ONCE = 1_000
CALLS_AT_ONCE = 2
MAX_WAITING_ROWS = 50_000

_PASSED_ON = frozenset({400, 413, 422})

log = logging.getLogger(__name__)
_decoder = msgspec.json.Decoder(FeedbackRequest)
_answer_decoder = msgspec.json.Decoder(FeedbackResponse)


@dataclass(slots=True, eq=False)
class _Waiting:
    labels: tuple[FeedbackRow, ...]
    answer: asyncio.Future[Answer] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class FeedbackForwarder:
    """Forwards labels. While calls to the hub are under way, further requests gather and share the next call.

    The hub syncs its disk once for each call, so that many callers with one label each cost little more than one.
    """

    def __init__(self, hub: HubClient) -> None:
        self._hub = hub
        self._waiting: deque[_Waiting] = deque()
        self._rows = 0
        self._calls: set[asyncio.Task[None]] = set()

    @property
    def waiting_labels(self) -> int:
        """How many labels the hub has not answered for."""
        return self._rows

    async def answer(self, body: bytes) -> Answer:
        """Forward one request and return the hub's answer to its rows."""
        try:
            request = _decoder.decode(body)
        except msgspec.ValidationError as error:
            return error_answer(400, f'the body is no list of labels like {{"labels": [{{"id": …}}]}}: {error}')
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return error_answer(400, malformed(body, error))
        if not request.labels:
            return json_answer(FeedbackResponse(results=(), accepted=0))
        if self._rows + len(request.labels) > MAX_WAITING_ROWS:
            return error_answer(
                429, "too many labels wait for the hub: send this request again", retry_after=RETRY_AFTER
            )
        waiting = _Waiting(request.labels)
        self._waiting.append(waiting)
        self._rows += len(waiting.labels)
        self._start_calls()
        return await waiting.answer

    def _start_calls(self) -> None:
        while self._waiting and len(self._calls) < CALLS_AT_ONCE:
            task = asyncio.create_task(self._forward(self._next()))
            self._calls.add(task)
            task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._calls.discard(task)
        self._start_calls()

    def _next(self) -> list[_Waiting]:
        group = [self._waiting.popleft()]
        rows = len(group[0].labels)
        while self._waiting and rows + len(self._waiting[0].labels) <= ROWS_AT_ONCE:
            group.append(self._waiting.popleft())
            rows += len(group[-1].labels)
        return group

    async def _forward(self, group: list[_Waiting]) -> None:
        labels = tuple(row for waiting in group for row in waiting.labels)
        try:
            result = await self._call(labels)
            if isinstance(result, Answer) and result.status in _PASSED_ON and len(group) > 1:
                # One caller's rows must not refuse another's: ask for each by itself.
                for waiting in group:
                    _deliver([waiting], await self._call(waiting.labels))
            else:
                _deliver(group, result)
        finally:
            self._rows -= len(labels)
            _deliver(group, _unavailable("the labels were not forwarded: send them again"))

    async def _call(self, labels: tuple[FeedbackRow, ...]) -> FeedbackResponse | Answer:
        try:
            answer = await self._hub.feedback(msgspec.json.encode(FeedbackRequest(labels=labels)))
        except HubUnreachableError as error:
            return _unavailable(f"the hub did not take the labels ({error}): send them again")
        if not answer.ok:
            return _refusal(answer)
        try:
            response = _answer_decoder.decode(answer.body)
        except msgspec.MsgspecError as error:
            log.exception("the hub's answer to labels cannot be read")
            return _unavailable(f"the hub's answer cannot be read ({error}): send the labels again")
        if len(response.results) != len(labels):
            log.error("the hub answered other rows", extra={"sent": len(labels), "answered": len(response.results)})
            return _unavailable("the hub answered for other rows: send the labels again")
        return response


def _refusal(answer: HubAnswer) -> Answer:
    if answer.status in _PASSED_ON:
        return error_answer(answer.status, answer.error())
    if answer.status in LATER:
        return error_answer(answer.status, answer.error(), retry_after=answer.retry_after or RETRY_AFTER)
    log.warning("the hub does not take labels", extra={"status": answer.status, "error": answer.error()})
    message = f"the hub did not take the labels ({answer.status}, {answer.error()}): send them again"
    return _unavailable(message, answer.retry_after)


def _unavailable(message: str, retry_after: str | None = None) -> Answer:
    return error_answer(503, message, retry_after=retry_after or RETRY_AFTER)


def _deliver(group: list[_Waiting], result: FeedbackResponse | Answer) -> None:
    start = 0
    for waiting in group:
        end = start + len(waiting.labels)
        if not waiting.answer.done():
            waiting.answer.set_result(result if isinstance(result, Answer) else _own(result, start, end))
        start = end


def _own(response: FeedbackResponse, start: int, end: int) -> Answer:
    results = response.results[start:end]
    accepted = sum(result.status is LabelStatus.ACCEPTED for result in results)
    return json_answer(FeedbackResponse(results=results, accepted=accepted))
