"""What the pod's environment says, read once at the start."""

import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from evermodel.contract import SERVE_ENV, TOKEN_ENV, ServeConfig

HOST_ENV = "EVERMODEL_HOST"
PORT_ENV = "EVERMODEL_PORT"
DRAIN_ENV = "EVERMODEL_DRAIN_SECONDS"
DEFAULT_PORT = 8080
DEFAULT_DRAIN_SECONDS = 10.0


class SettingsError(Exception):
    """The environment does not say what to serve; the message names the variable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that the process takes from outside."""

    config: ServeConfig
    token: str
    host: str
    port: int
    drain_seconds: float
    pod: str
    """Name under which the hub adds up this process: a restarted container counts from zero under another name."""


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read the settings from environment variables."""
    config = _config(_required(environ, SERVE_ENV))
    return Settings(
        config=config,
        token=_required(environ, TOKEN_ENV),
        host=environ.get(HOST_ENV, "0.0.0.0"),  # noqa: S104 - a pod listens on its own address
        port=int(_number(environ, PORT_ENV, DEFAULT_PORT)),
        drain_seconds=_number(environ, DRAIN_ENV, DEFAULT_DRAIN_SECONDS),
        pod=f"{socket.gethostname()}-{secrets.token_hex(4)}",
    )


def settings_from_process() -> Settings:
    """Read the settings of this process."""
    return read_settings(os.environ)


def _required(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "")
    if not value:
        raise SettingsError(f"the environment variable {name} is not set")
    return value


def _config(text: str) -> ServeConfig:
    try:
        return msgspec.json.decode(text, type=ServeConfig)
    except msgspec.MsgspecError as error:
        raise SettingsError(f"{SERVE_ENV} is no ServeConfig: {error}") from error


def _number(environ: Mapping[str, str], name: str, default: float) -> float:
    text = environ.get(name, "")
    if not text:
        return default
    try:
        value = float(text)
    except ValueError as error:
        raise SettingsError(f"{name} is {text!r}, which is no number") from error
    if not 0 <= value < float("inf"):
        raise SettingsError(f"{name} is {text!r}; it must be zero or more")
    return value
