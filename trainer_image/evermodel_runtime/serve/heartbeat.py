"""Tells the hub every second how many predictions were made, and hands the captured rows over."""

import asyncio
import logging

import msgspec

from evermodel.contract import BinCounts, Heartbeat
from evermodel_runtime.serve.binning import BinCounter
from evermodel_runtime.serve.captures import Batch, CaptureBuffer
from evermodel_runtime.serve.hub_client import HubAnswer, HubClient, HubUnreachableError
from evermodel_runtime.serve.measures import Measures

INTERVAL_SECONDS = 1.0
BEATS_BETWEEN_BINS = 10
"""Heartbeats from one that tells bins to the next."""
CAPTURES_AT_ONCE = 500
"""Rows whose encoding holds predictions up for a millisecond or two, not more."""
LAST_WORDS_SECONDS = 5.0

_NEVER = frozenset({400, 422})
"""The hub will not take this batch however often it is sent."""
_TOO_LARGE = 413

log = logging.getLogger(__name__)


class Reporter:
    """Sends heartbeats. A batch of captures is forgotten only when the hub has it; predictions never wait for it."""

    def __init__(
        self, hub: HubClient, pod: str, version: int, measures: Measures, captures: CaptureBuffer | None
    ) -> None:
        self._hub = hub
        self._pod = pod
        self._version = version
        self._measures = measures
        self._rules = None if captures is None else captures.rules
        self._captures = captures if captures is not None else CaptureBuffer()
        self.bins: BinCounter | None = None
        self._until_bins = BEATS_BETWEEN_BINS
        self._at_once = CAPTURES_AT_ONCE
        self._trouble: str | None = None

    async def run(self) -> None:
        """Report until cancelled."""
        while True:
            await self.beat()
            await asyncio.sleep(INTERVAL_SECONDS)

    async def beat(self) -> None:
        """Report; every few times with how values are spread."""
        self._until_bins -= 1
        await self.catch_up()

    async def catch_up(self) -> None:
        """Report now, and go on while whole batches of captures wait and the hub takes them."""
        while await self._report() and len(self._captures) >= self._at_once:
            pass

    async def last_words(self) -> None:
        """Hand over everything before the process ends, within a few seconds."""
        self._until_bins = 0
        try:
            async with asyncio.timeout(LAST_WORDS_SECONDS):
                while await self._report() and self._captures:
                    pass
        except TimeoutError:
            log.warning("the hub did not take the last heartbeat in time", extra={"captures": len(self._captures)})

    async def _report(self) -> bool:
        """Send one heartbeat; return whether it is worth sending the next at once."""
        batch = self._captures.oldest(self._at_once)
        bins = self._counted_bins()
        heartbeat = Heartbeat(
            pod=self._pod,
            version=self._version,
            predictions=self._measures.predictions,
            errors=self._measures.errors,
            captures=batch.captures,
            rules=self._rules,
            bins=bins,
        )
        try:
            answer = await self._hub.heartbeat(msgspec.json.encode(heartbeat))
        except HubUnreachableError as error:
            self._note(str(error))
            return False
        if answer.ok:
            self._captures.acknowledge(batch)
            self._note(None)
            if bins is not None:
                self._until_bins = BEATS_BETWEEN_BINS
            return True
        return self._not_taken(batch, answer)

    def _counted_bins(self) -> BinCounts | None:
        """Return the totals where they are due; those that the hub did not take are told again."""
        if self.bins is None or self._until_bins > 0:
            return None
        return self.bins.counts(requests=self._measures.answered, refused=self._measures.refused)

    def _not_taken(self, batch: Batch, answer: HubAnswer) -> bool:
        self._note(f"{answer.status}: {answer.error()}")
        rows = len(batch.captures)
        if answer.status == _TOO_LARGE and rows > 1:
            self._at_once = max(1, rows // 2)
            return True
        if rows and (answer.status in _NEVER or answer.status == _TOO_LARGE):
            self._captures.give_up(batch)
            log.error("the hub refuses captured rows; they are dropped", extra={"rows": rows, "error": answer.error()})
            return True
        return False

    def _note(self, trouble: str | None) -> None:
        """Log changes only: a hub that is down for an hour is one line, not 3,600."""
        if trouble != self._trouble:
            if trouble is None:
                log.info("the hub takes heartbeats again")
            else:
                log.warning("the hub does not take heartbeats", extra={"error": trouble})
        self._trouble = trouble
