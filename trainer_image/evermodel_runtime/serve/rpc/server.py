"""The gRPC server of a serving pod, on the event loop that answers REST."""

import logging
from collections.abc import Sequence
from typing import Any, Protocol

import grpc.aio

from evermodel_runtime.serve.draining import IN_FLIGHT_SECONDS, SETTLE_SECONDS
from evermodel_runtime.serve.protocol import MAX_BODY_BYTES

CONNECTION_SECONDS = 5.0
"""How long a connection is used, give or take a tenth. Then its caller opens another one, and loses no call by that: of
a server that stops, gRPC cancels what arrives just then. So calls spread over new pods, and leave those that go."""
_OPTIONS = (
    ("grpc.max_connection_age_ms", round(1000 * CONNECTION_SECONDS)),
    ("grpc.max_receive_message_length", MAX_BODY_BYTES),
    ("grpc.so_reuseport", 0),  # a second server at the port is a mistake, and not one to share calls with
)

log = logging.getLogger(__name__)


class Answering(Protocol):
    """A service of gRPC."""

    def handlers(self) -> Any:
        """Return its methods as a gRPC server takes them."""
        ...


class RpcServer:
    """Listens from ``start`` to ``stop``."""

    settle_seconds = SETTLE_SECONDS + 1.2 * CONNECTION_SECONDS
    """After which no caller has a connection left, of those that could come."""

    def __init__(self, services: Sequence[Answering], host: str, port: int) -> None:
        self._address = f"{host}:{port}"
        self._services = services
        self._server: Any = None

    async def start(self) -> None:
        """Listen; what needs the model is refused until it is there."""
        self._server = grpc.aio.server(options=_OPTIONS)
        self._server.add_generic_rpc_handlers(tuple(service.handlers() for service in self._services))
        self._server.add_insecure_port(self._address)
        await self._server.start()
        log.info("listening for gRPC", extra={"address": self._address})

    async def stop(self) -> None:
        """Take no more calls, and finish those under way."""
        await self._server.stop(IN_FLIGHT_SECONDS)
