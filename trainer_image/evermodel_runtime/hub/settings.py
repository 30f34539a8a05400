"""What the hub's environment says, read once at the start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from evermodel.contract import HUB_KEY_ENV

DATA_ENV = "EVERMODEL_HUB_DATA"
HOST_ENV = "EVERMODEL_HUB_HOST"
PORT_ENV = "EVERMODEL_HUB_PORT"
SYNCHRONOUS_ENV = "EVERMODEL_HUB_SYNCHRONOUS"
LABEL_MAX_AGE_ENV = "EVERMODEL_LABEL_MAX_AGE_S"
CAPTURES_KEPT_ENV = "EVERMODEL_HUB_CAPTURES_KEPT"
MAX_BLOB_ENV = "EVERMODEL_HUB_MAX_BLOB_BYTES"
DAY = 24 * 3600.0
_N = TypeVar("_N", int, float)


class SettingsError(Exception):
    """The environment does not say how to run the hub; the message names the variable."""


class Synchronous(StrEnum):
    """How far SQLite waits for the disk. Anything but FULL loses acknowledged labels with the power: tests only."""

    FULL = "FULL"
    OFF = "OFF"


@dataclass(frozen=True, slots=True, kw_only=True)
class HubSettings:
    """Everything that the process takes from outside."""

    key: str
    """Key of the namespace, hex; all tokens derive from it."""
    data: Path
    host: str = "0.0.0.0"  # noqa: S104 - a pod is reached at its address
    port: int = 8080
    synchronous: Synchronous = Synchronous.FULL
    label_max_age: float = 90 * DAY
    """Seconds after its prediction at which a label is too old to be taken."""
    clock_skew: float = 300.0
    """Seconds that a serving pod's clock may be ahead."""
    captures_kept: int = 200_000
    """Newest captured predictions kept for each model."""
    max_blob_bytes: int = 4 * 1024**3
    max_body_bytes: int = 32 * 1024**2
    """Longest JSON body."""
    waiting_limit: int = 4096
    """Writes that may wait for the disk before callers are told to come back."""


def data_folder(environ: Mapping[str, str]) -> Path:
    """Return where the volume is."""
    return Path(environ.get(DATA_ENV, "/data"))


def read_settings(environ: Mapping[str, str]) -> HubSettings:
    """Read the settings from environment variables."""
    key = environ.get(HUB_KEY_ENV, "").strip()
    try:
        bytes.fromhex(key)
    except ValueError as error:
        raise SettingsError(f"{HUB_KEY_ENV} is not hexadecimal: mount the key that the operator made") from error
    if not key:
        raise SettingsError(f"{HUB_KEY_ENV} is not set: mount the key that the operator made for this namespace")
    try:
        synchronous = Synchronous(environ.get(SYNCHRONOUS_ENV, Synchronous.FULL))
    except ValueError as error:
        raise SettingsError(f"{SYNCHRONOUS_ENV} must be FULL (or OFF, in tests only)") from error
    return HubSettings(
        key=key,
        data=data_folder(environ),
        host=environ.get(HOST_ENV, "0.0.0.0"),  # noqa: S104 - a pod is reached at its address
        port=_number(environ, PORT_ENV, int, 8080),
        synchronous=synchronous,
        label_max_age=_number(environ, LABEL_MAX_AGE_ENV, float, 90 * DAY),
        captures_kept=_number(environ, CAPTURES_KEPT_ENV, int, 200_000),
        max_blob_bytes=_number(environ, MAX_BLOB_ENV, int, 4 * 1024**3),
    )


def _number(environ: Mapping[str, str], name: str, kind: type[_N], default: _N) -> _N:
    text = environ.get(name)
    if text is None:
        return default
    try:
        number = kind(text)
    except ValueError as error:
        raise SettingsError(f"{name} is {text!r}: it must be a number") from error
    if number <= 0:
        raise SettingsError(f"{name} is {text}: it must be above 0")
    return number
