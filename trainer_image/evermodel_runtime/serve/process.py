"""The serving process: reads the environment, listens, loads, reports, drains."""

import asyncio
import gc
import logging
import sys
import warnings
from collections.abc import Sequence

import uvloop
from msgspec import UNSET

from evermodel_runtime.quality.prediction_id import Signer
from evermodel_runtime.serve.application import Application
from evermodel_runtime.serve.artifact import counter_when_possible, load_when_possible
from evermodel_runtime.serve.batching import inference_of
from evermodel_runtime.serve.captures import CaptureBuffer
from evermodel_runtime.serve.draining import Beside, make_server
from evermodel_runtime.serve.erasing import Eraser
from evermodel_runtime.serve.feedback import FeedbackForwarder
from evermodel_runtime.serve.heartbeat import Reporter
from evermodel_runtime.serve.hub_client import HubClient, open_hub
from evermodel_runtime.serve.ids import PredictionIds
from evermodel_runtime.serve.log_lines import write_json_lines
from evermodel_runtime.serve.measures import Measures
from evermodel_runtime.serve.readiness import Readiness
from evermodel_runtime.serve.settings import Settings, SettingsError, settings_from_process
from evermodel_runtime.serve.withholding import UnknownColumnsError, Withholding

log = logging.getLogger(__name__)


class ServingPod:
    """The parts of one serving process, put together."""

    def __init__(self, settings: Settings, hub: HubClient) -> None:
        self._settings = settings
        self._hub = hub
        self._readiness = Readiness()
        self._measures = Measures(settings.config)
        rules = settings.config.captured
        self._captures = None if rules is None else CaptureBuffer(rules)
        self._feedback = FeedbackForwarder(hub)
        self._app = Application(settings.config, self._readiness, self._feedback, Eraser(hub), self._measures)
        self._app.before_metrics = self._count_waiting
        self._reporter = Reporter(hub, settings.pod, settings.config.version, self._measures, self._captures)

    async def run(self) -> None:
        """Serve until the process is told to stop and every request in flight is answered."""
        settings = self._settings
        server = make_server(self._app, settings.host, settings.port, self._readiness, settings.drain_seconds)
        if settings.config.grpc_port is not UNSET:
            server.beside = await self._listen_for_grpc(settings.config.grpc_port)
        async with asyncio.TaskGroup() as tasks:
            background = [tasks.create_task(self._load()), tasks.create_task(self._reporter.run())]
            await server.serve()
            for task in background:
                task.cancel()
        await self._reporter.last_words()
        log.info("stopped", extra={"predictions": self._measures.predictions})

    async def _listen_for_grpc(self, port: int) -> Beside:
        from evermodel_runtime.serve.rpc.health import Health  # noqa: PLC0415 - memory that others need not pay
        from evermodel_runtime.serve.rpc.server import RpcServer  # noqa: PLC0415
        from evermodel_runtime.serve.rpc.service import Service  # noqa: PLC0415

        service = Service(self._settings.config, self._readiness, self._measures, lambda: self._app.inference)
        server = RpcServer((service, Health(self._readiness)), self._settings.host, port)
        await server.start()
        return server

    async def _load(self) -> None:
        config = self._settings.config
        model = await load_when_possible(self._hub, config, self._readiness)
        ids = PredictionIds(Signer(self._settings.token, config.model), config.version)
        captures = self._capturing(model.schema.names)
        self._app.inference = inference_of(config, model, ids, measures=self._measures, captures=captures)
        gc.collect()
        gc.freeze()  # what is loaded stays: later collections need not walk it
        self._readiness.reason = None
        log.info("ready", extra={"model": config.model, "version": config.version, "manifest": config.manifest})
        self._reporter.bins = self._app.inference.bins = await counter_when_possible(self._hub, model.manifest)

    def _capturing(self, columns: Sequence[str]) -> CaptureBuffer | None:
        """Return what captures rows of these columns; nothing where it is not certain what is to be withheld."""
        captures = self._captures
        if captures is None or not captures.rules.withheld:
            return captures
        try:
            captures.withholding = Withholding.of(columns, captures.rules, self._settings.token)
        except UnknownColumnsError as error:
            log.error("nothing is captured", extra={"error": str(error)})  # noqa: TRY400 - the message says it all
            return None
        return captures

    def _count_waiting(self) -> None:
        self._measures.labels_waiting.set(self._feedback.waiting_labels)
        if self._captures is not None:
            self._measures.captures_dropped = self._captures.dropped
            self._measures.captures_passed_over = self._captures.allowance.passed_over
            self._measures.captures_waiting.set(len(self._captures))


async def _run(settings: Settings) -> None:
    with open_hub(settings.config.hub_url, settings.config.model, settings.token) as hub:
        await ServingPod(settings, hub).run()


def main() -> int:
    """Run the serving process; returns the exit code."""
    write_json_lines()
    warnings.simplefilter("ignore")  # scikit-learn would print hints about names of columns with every prediction
    try:
        settings = settings_from_process()
    except SettingsError as error:
        print(f"cannot serve: {error}", file=sys.stderr)
        return 2
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(settings))
    return 0
