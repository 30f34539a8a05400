"""The demo from the first command to a recovered model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

import aiohttp
from tests.cluster.profiles import REPO
from tests.demo.camera import Camera
from tests.demo.clusters import OPERATOR, SYSTEM, Cluster
from tests.demo.errors import DemoError
from tests.demo.journal import Journal
from tests.demo.stages import AFTER_THE_TURN, FIRST_VERSION, IN_PRODUCTION, Snapshot, Stage, decoded, hopeless
from tests.demo.traffic import Clients

NAMESPACE: Final = "evermodel-demo"
MODEL: Final = "digits"
SAMPLE: Final = REPO / "manifests" / "samples" / "digits.yaml"
OWN_LABEL: Final = "app.kubernetes.io/part-of"
PREDICTIONS_PER_SECOND: Final = 60.0
LOOK_EVERY: Final = 0.5
FIRST_ANSWER_WITHIN: Final = 60.0


@dataclass(slots=True, kw_only=True)
class Story:
    """One run of the demo.

    Parameters
    ----------
    cluster : Cluster
        Where it plays.
    camera : Camera
        What the clients photograph with.
    journal : Journal
        Where everything that was seen is noted.
    namespace : str
        Where its ModelDeployment is.
    """

    cluster: Cluster
    camera: Camera
    journal: Journal
    namespace: str = NAMESPACE
    snapshot: Snapshot | None = field(default=None)
    """The last look at the cluster."""

    async def play(self) -> None:
        """Go through all stages; a stage that is not seen in its time raises DemoError."""
        await self._prepare()
        await self.declare()
        await self.go_round()

    async def declare(self) -> None:
        """Apply the sample: the only thing that a person does."""
        print(f"\n$ kubectl apply -n {self.namespace} -f {SAMPLE.relative_to(REPO)}")
        print(await self.cluster.kubectl("apply", "-n", self.namespace, "-f", SAMPLE), end="")

    async def go_round(self) -> None:
        """Go through the stages from the first version to a recovered model, with clients and their labels."""
        await self.reach(FIRST_VERSION)
        url = await self._first_answer()
        clients = Clients(
            url=url,
            model=MODEL,
            photograph=self.camera.photograph,
            rate=PREDICTIONS_PER_SECOND,
            tally=self.journal.tally,
        )
        async with asyncio.TaskGroup() as tasks:
            traffic = tasks.create_task(clients.run())
            await self.reach(IN_PRODUCTION)
            self.camera.turn()
            await self._note("turned", "the camera is turned by 90 degrees; nobody touches anything from here on")
            await self.reach(AFTER_THE_TURN)
            traffic.cancel()

    async def _prepare(self) -> None:
        await self.cluster.start()
        self._note_preparation("cluster", "a Kubernetes answers")
        images = await self.cluster.load_images()
        self._note_preparation("images", "the project's images are built and loaded")
        await self.cluster.install_operator(images)
        self._note_preparation("operator", "the operator is ready")
        kubectl = self.cluster.kubectl
        # A namespace of its own has a hub of its own: nothing is remembered from the run before.
        await kubectl("delete", "namespace", "-l", f"{OWN_LABEL}={self.namespace}", within=180)
        await kubectl("create", "-f", "-", given=json.dumps(namespace(self.namespace)))

    async def reach(self, stages: Iterable[Stage]) -> None:
        for stage in stages:
            try:
                async with asyncio.timeout(stage.within):
                    await self._until(stage)
            except TimeoutError:
                raise DemoError(self._explained(stage, f"was not seen within {stage.within:.0f} s")) from None
            await self._note(stage.name, stage.what)

    async def _until(self, stage: Stage) -> None:
        """Look until the stage is seen; what was seen already counts, for some stages come in one moment."""
        while self.snapshot is None or not stage.seen(self.snapshot):
            if self.snapshot is not None:
                await asyncio.sleep(LOOK_EVERY)
            self.snapshot = await self._look()
            self.journal.look(self.snapshot.status)
            why = hopeless(self.snapshot)
            if why is not None and not stage.seen(self.snapshot):
                raise DemoError(self._explained(stage, f"will not be seen any more: {why}"))

    async def _look(self) -> Snapshot:
        listing = await self.cluster.kubectl(
            "get", "modeldeployments,modelversions", "-n", self.namespace, "-o", "json"
        )
        outcomes = self.journal.tally.outcomes
        answered_by = outcomes[-1][1] if outcomes else None
        return decoded(listing, model=MODEL, answered_by=answered_by, now=datetime.now(UTC))

    async def _first_answer(self) -> str:
        """Return the model's URL once its address answers here: Ready is said before every node has the route."""
        address = await self.cluster.kubectl(
            "get", "service", MODEL, "-n", self.namespace, "-o", "jsonpath={.spec.clusterIP}"
        )
        url = f"http://{address}"
        try:
            async with asyncio.timeout(FIRST_ANSWER_WITHIN), aiohttp.ClientSession() as session:
                while not await _is_ready(session, f"{url}/v2/health/ready"):  # noqa: ASYNC110 - nobody tells us
                    await asyncio.sleep(LOOK_EVERY)
        except TimeoutError:
            raise DemoError(
                f"Service {self.namespace}/{MODEL} is ready, but {url} does not answer within "
                f"{FIRST_ANSWER_WITHIN:.0f} s: this machine needs a "
                "route to the cluster's Service addresses (run the demo on a node of it)"
            ) from None
        await self._note("traffic", f"{PREDICTIONS_PER_SECOND:.0f} predictions a second begin, each with its label")
        return url

    async def _note(self, stage: str, what: str) -> None:
        entry = self.journal.enter(stage, self.snapshot.status if self.snapshot is not None else None)
        table = await self.cluster.kubectl("get", "models", "-n", self.namespace)
        print(f"\n[{entry.at_s:6.1f}s] {stage}: {what}\n{table}", end="", flush=True)

    def _note_preparation(self, stage: str, what: str) -> None:
        entry = self.journal.enter(stage)
        print(f"[{entry.at_s:6.1f}s] {stage}: {what}", flush=True)

    def _explained(self, stage: Stage, why: str) -> str:
        """Say what was not seen, what the operator says meanwhile, and where to look."""
        conditions = self.snapshot.status.conditions if self.snapshot is not None else ()
        lines = [f"stage {stage.name} ({stage.what}) {why}"]
        lines += [f"  {known.type}={known.status} {known.reason}: {known.message}" for known in conditions]
        lines += ["look at:", f"  kubectl -n {self.namespace} {stage.look}", f"  kubectl -n {SYSTEM} logs {OPERATOR}"]
        return "\n".join(lines)


async def _is_ready(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url, timeout=aiohttp.ClientTimeout(total=2)) as answer:
            return answer.status == HTTPStatus.OK
    except (aiohttp.ClientError, TimeoutError):
        return False


def namespace(name: str) -> dict[str, object]:
    labels = {OWN_LABEL: name, "pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
