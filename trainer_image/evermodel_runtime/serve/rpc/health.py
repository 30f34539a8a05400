"""The health service that probes and load balancers ask, package ``grpc.health.v1``: whether to send calls here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from enum import IntEnum
from typing import Any

import grpc
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from evermodel_runtime.serve.readiness import Readiness
from evermodel_runtime.serve.rpc import messages

PACKAGE = "grpc.health.v1"
SERVICE = f"{PACKAGE}.Health"
KNOWN = ("", messages.SERVICE)
"""Names that may be asked for: that of all that is here, and that of the one service."""


class Status(IntEnum):
    """As the published protocol numbers them."""

    UNKNOWN = 0
    SERVING = 1
    NOT_SERVING = 2
    SERVICE_UNKNOWN = 3


def file() -> FileDescriptorProto:
    """Return the description of the messages, as a compiler would make it of the published file."""
    described = FileDescriptorProto(name="grpc/health/v1/health.proto", package=PACKAGE, syntax="proto3")
    request = described.message_type.add(name="HealthCheckRequest")
    response = described.message_type.add(name="HealthCheckResponse")
    statuses = response.enum_type.add(name="ServingStatus")
    for status in Status:
        statuses.value.add(name=status.name, number=status)
    optional = FieldDescriptorProto.LABEL_OPTIONAL
    request.field.add(name="service", number=1, label=optional, type=FieldDescriptorProto.TYPE_STRING)
    response.field.add(
        name="status",
        number=1,
        label=optional,
        type=FieldDescriptorProto.TYPE_ENUM,
        type_name=f".{PACKAGE}.HealthCheckResponse.ServingStatus",
    )
    return described


_POOL = DescriptorPool()
_POOL.Add(file())
HealthCheckRequest = GetMessageClass(_POOL.FindMessageTypeByName(f"{PACKAGE}.HealthCheckRequest"))
HealthCheckResponse = GetMessageClass(_POOL.FindMessageTypeByName(f"{PACKAGE}.HealthCheckResponse"))


class Health:
    """Tells what ``/v2/health/ready`` tells."""

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness

    def handlers(self) -> Any:
        """Return the methods as a gRPC server takes them."""
        methods = {
            "Check": grpc.unary_unary_rpc_method_handler(self._check),
            "Watch": grpc.unary_stream_rpc_method_handler(self._watch),
        }
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    async def _check(self, content: bytes, context: Any) -> bytes:
        name = await _asked(content, context)
        if name not in KNOWN:
            await context.abort(
                grpc.StatusCode.NOT_FOUND, f"service {name[:80]!r} is not here: ask for {messages.SERVICE!r} or ''"
            )
        return _answer(self._status())

    async def _watch(self, content: bytes, context: Any) -> AsyncIterator[bytes]:
        """Tell the status now and whenever it changes, until the pod drains: the call would hold its end up."""
        name = await _asked(content, context)
        if name not in KNOWN:
            yield _answer(Status.SERVICE_UNKNOWN)
        told = None
        while not self._readiness.draining:
            changed = self._readiness.next_change()
            if name in KNOWN and told is not (status := self._status()):
                told = status
                yield _answer(status)
            await changed.wait()
        if name in KNOWN:
            yield _answer(self._status())

    def _status(self) -> Status:
        return Status.SERVING if self._readiness.why_not() is None else Status.NOT_SERVING


async def _asked(content: bytes, context: Any) -> str:
    try:
        name: str = HealthCheckRequest.FromString(content).service
    except DecodeError as error:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"the call has no HealthCheckRequest: {error}")
        raise
    return name


def _answer(status: Status) -> bytes:
    return messages.serialized(HealthCheckResponse(status=status))
