"""What the operator's environment says, read once at the start."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import uuid4

from evermodel.core.durations import parse_duration

HUB_URL: Final = "http://evermodel-hub.{namespace}.svc:8080"
_MIN_LEASE: Final = timedelta(seconds=1)


class SettingsError(Exception):
    """The environment does not say how to run the operator; the message names the variable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseSettings:
    """How two replicas agree on which of them works."""

    namespace: str
    identity: str
    name: str = "evermodel-operator"
    duration: timedelta = timedelta(seconds=15)
    """After this long without a renewal, another replica may take over."""

    @property
    def renew_deadline(self) -> timedelta:
        """A holder that could not renew for this long ends: a third of the duration before another may begin."""
        return self.duration * 2 / 3

    @property
    def renew_interval(self) -> timedelta:
        """Pause between two renewals; with the deadline it stays within the duration."""
        return self.duration / 6

    @property
    def retry_period(self) -> timedelta:
        """Pause between two attempts to take the Lease, or to renew it after a failure."""
        return min(self.duration / 6, timedelta(seconds=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that the process takes from outside."""

    runtime_image: str
    lease: LeaseSettings
    master_key_file: Path
    namespaces: tuple[str, ...] = ()
    """Where to look for ModelDeployments; empty: everywhere."""
    hub_url: str = HUB_URL
    """Of a namespace's hub, as pods reach it."""
    operator_hub_url: str = HUB_URL
    """Of a namespace's hub, as the operator reaches it."""
    drain: timedelta = timedelta(seconds=5)
    workers: int = 8
    port: int = 8081
    """Of metrics and probes."""
    resync: timedelta = field(default=timedelta(minutes=10))


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read the settings from environment variables.

    Raises
    ------
    SettingsError
        When a variable is missing or is not what it should be.
    """
    image = environ.get("EVERMODEL_RUNTIME_IMAGE", "").strip()
    if not image:
        raise SettingsError("EVERMODEL_RUNTIME_IMAGE is not set: name the image that trains, serves and stores")
    hub_url = environ.get("EVERMODEL_HUB_URL") or HUB_URL
    return Settings(
        runtime_image=image,
        lease=LeaseSettings(
            namespace=environ.get("EVERMODEL_LEASE_NAMESPACE") or "evermodel-system",
            identity=f"{environ.get('POD_NAME') or socket.gethostname()}_{uuid4().hex[:8]}",
            duration=_duration(environ, "EVERMODEL_LEASE_DURATION", "15s", _MIN_LEASE),
        ),
        master_key_file=Path(environ.get("EVERMODEL_MASTER_KEY_FILE") or "/var/run/evermodel/master-key/key"),
        namespaces=tuple(name.strip() for name in environ.get("EVERMODEL_NAMESPACES", "").split(",") if name.strip()),
        hub_url=_template("EVERMODEL_HUB_URL", hub_url),
        operator_hub_url=_template("EVERMODEL_OPERATOR_HUB_URL", environ.get("EVERMODEL_OPERATOR_HUB_URL") or hub_url),
        drain=_duration(environ, "EVERMODEL_DRAIN", "5s", timedelta(0)),
        workers=_whole(environ, "EVERMODEL_WORKERS", 8, 1),
        port=_whole(environ, "EVERMODEL_PORT", 8081, 0),
        resync=_duration(environ, "EVERMODEL_RESYNC", "10m", timedelta(seconds=1)),
    )


def read_environment() -> Settings:
    """Read the settings of this process."""
    return read_settings(os.environ)


def _template(name: str, text: str) -> str:
    try:
        text.format(namespace="")
    except (KeyError, IndexError, ValueError) as error:
        raise SettingsError(f"{name} is {text!r}: only {{namespace}} may stand in braces") from error
    return text.rstrip("/")


def _duration(environ: Mapping[str, str], name: str, default: str, least: timedelta) -> timedelta:
    text = environ.get(name) or default
    try:
        duration = parse_duration(text)
    except ValueError as error:
        raise SettingsError(f"{name}: {error}") from error
    if duration < least:
        raise SettingsError(f"{name} is {text}: it must be at least {least.total_seconds():g}s")
    return duration


def _whole(environ: Mapping[str, str], name: str, default: int, least: int) -> int:
    text = environ.get(name) or str(default)
    if not text.isdecimal() or int(text) < least:
        raise SettingsError(f"{name} is {text!r}: it must be a whole number of at least {least}")
    return int(text)
