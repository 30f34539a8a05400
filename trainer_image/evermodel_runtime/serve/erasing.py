"""Captured rows that callers want erased: the hub has them, and answers when they are gone."""

import msgspec

from evermodel.contract import Erasure
from evermodel_runtime.serve.answers import Answer, error_answer
from evermodel_runtime.serve.hub_client import LATER, RETRY_AFTER, HubClient, HubUnreachableError

_PASSED_ON = frozenset({200, 404})


class Eraser:
    """Passes erasures on."""

    def __init__(self, hub: HubClient) -> None:
        self._hub = hub

    async def erase(self, record_id: str) -> Answer:
        """Have a row erased by the id of its prediction; sent again, it does no harm."""
        try:
            answer = await self._hub.erasure(msgspec.json.encode(Erasure(id=record_id)))
        except HubUnreachableError as error:
            return error_answer(
                503, f"the hub did not erase the row ({error}): send this again", retry_after=RETRY_AFTER
            )
        if answer.status in _PASSED_ON:
            return Answer(answer.status, answer.body)
        status = answer.status if answer.status in LATER else 503
        message = f"the hub did not erase the row ({answer.status}, {answer.error()}): send this again"
        return error_answer(status, message, retry_after=answer.retry_after or RETRY_AFTER)
