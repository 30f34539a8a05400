"""Fetch a file from a web server: every address is checked before it is asked, redirects included.

A name is resolved once for each request and the connection is made to the very address that was checked, so that a name
that changes in between leads nowhere else. The certificate is still that of the name. No proxy is used.
"""

from __future__ import annotations

import io
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Self
from urllib.parse import SplitResult, urljoin, urlsplit

import urllib3
from urllib3.exceptions import HTTPError, SSLError

from evermodel.contract import FailureReason
from evermodel_runtime.data.addresses import Address, refusal, resolve
from evermodel_runtime.data.credentials import FIELD, Credentials
from evermodel_runtime.data.failure import JobError, spec_error
from evermodel_runtime.data.memory import Memory

PORTS = {"https": 443, "http": 80}
REDIRECTS = 5
PAUSES = (1.0, 2.0, 4.0, 8.0)
"""Seconds between tries while the server is away."""
TIMEOUT = urllib3.Timeout(connect=10.0, read=60.0)
"""To connect, and between two bytes; the whole ends with the Job's deadline."""
PIECE = 1 << 20
LATER = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
DENIED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
MOVED = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Web:
    """What is between a Job and servers."""

    resolve: Callable[[str, int], Sequence[Address]] = resolve
    refusal: Callable[[Address], str | None] = refusal
    pause: Callable[[float], None] = time.sleep


WEB = Web()


class AwayError(Exception):
    """The server did not answer, or asked to come again; the text says what it did."""


@dataclass(frozen=True, slots=True)
class Place:
    """An address on the web, taken apart once."""

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def of(cls, url: str) -> Self:
        """Take an address apart.

        Raises
        ------
        ValueError
            It is none of http or https, has no host, or names a user.
        """
        parts = urlsplit(url)
        if parts.scheme not in PORTS or not parts.hostname or parts.username is not None:
            raise ValueError(f"{url} is no address of a file on the web")
        return cls(parts.scheme, parts.hostname.lower(), parts.port or PORTS[parts.scheme], _path(parts))

    @property
    def server(self) -> tuple[str, str, int]:
        """Whom credentials are for."""
        return self.scheme, self.host, self.port

    def __str__(self) -> str:
        """Write it without its query, which may hold secrets."""
        return f"{self.scheme}://{self.authority}{self.path.partition('?')[0]}"

    @property
    def authority(self) -> str:
        """Host and, where it is not the usual one, port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def _path(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def download(uri: str, secret: str | None, folder: Path, memory: Memory, web: Web = WEB) -> bytes:
    """Return a file's bytes.

    Parameters
    ----------
    uri : str
        Where it is.
    secret : str or None
        Secret of the credentials, whose keys are files in ``folder``.
    folder : Path
        See there.
    memory : Memory
        Refuses what would not fit, before it is fetched where the server tells its size, and while it comes.
    web : Web, optional
        What is between this process and the server.

    Raises
    ------
    JobError
        SpecInvalid: an address that is refused; DataNotFound: the server has no such file, or not for us;
        SourceUnavailable: it did not answer for some time; OutOfMemory: the file does not fit.
    """
    try:
        origin = Place.of(uri)
    except ValueError as error:
        raise spec_error(f"spec.data.train.uri: {error}.") from error
    request = _Request(origin, Credentials.of(secret, folder), memory, web)
    said = ""
    for pause in (*PAUSES, None):
        try:
            return request.follow()
        except AwayError as error:
            said = str(error)
        if pause is not None:
            web.pause(pause)
    raise JobError(
        FailureReason.SOURCE_UNAVAILABLE,
        f"{origin} could not be fetched in {len(PAUSES) + 1} tries: {said}. The run is repeated after a pause; look "
        "whether the server is up and reachable from the namespace.",
    )


@dataclass(frozen=True, slots=True)
class _Request:
    """One file that is asked for, wherever redirects lead."""

    origin: Place
    credentials: Credentials
    memory: Memory
    web: Web

    def follow(self) -> bytes:
        """Ask, and ask again where the answer points."""
        place = self.origin
        for _ in range(REDIRECTS + 1):
            answer = self._ask(place)
            if isinstance(answer, bytes):
                return answer
            place = self._redirected(place, answer)
        raise _not_found(f"{self.origin} is redirected more than {REDIRECTS} times, last to {place}.")

    def _redirected(self, place: Place, location: str) -> Place:
        try:
            target = Place.of(urljoin(f"{place.scheme}://{place.authority}{place.path}", location))
        except ValueError as error:
            raise _not_found(f"{place} is redirected to what is no address of a file.") from error
        if place.scheme == "https" and target.scheme != "https":
            raise _not_found(f"{place} is redirected to {target}, which anybody on the way could change.")
        return target

    def _ask(self, place: Place) -> bytes | str:
        """Return the file, or where it has moved to."""
        problem = ""
        for address in self._checked(place):
            try:
                return self._ask_at(place, address)
            except SSLError as error:
                cause = error.args[0] if error.args else error
                if isinstance(cause, ssl.SSLCertVerificationError):
                    raise _not_found(
                        f"{place}: the server's certificate is not to be trusted: {cause.verify_message}. Put the "
                        f"certificate of its authority into the key ca.crt of the Secret of {FIELD}."
                    ) from error
                problem = f"{type(error).__name__}, {cause}"
            except HTTPError as error:
                problem = f"{address}: {type(error).__name__}"
        raise AwayError(problem)

    def _checked(self, place: Place) -> Sequence[Address]:
        try:
            addresses = self.web.resolve(place.host, place.port)
        except socket.gaierror as error:
            if error.errno == socket.EAI_NONAME:
                raise _not_found(f"{place}: there is no host {place.host}.") from error
            raise AwayError(f"the name {place.host} could not be looked up: {error.strerror}") from error
        except UnicodeError as error:
            raise _not_found(f"{place}: {place.host} is no name of a host.") from error
        for address in addresses:
            what = self.web.refusal(address)
            if what is not None:
                raise spec_error(
                    f"spec.data.train.uri: {place} is at {address}, {what}: nothing is fetched from there. Name a "
                    "server, or upload the file to the hub."
                )
        return addresses

    def _ask_at(self, place: Place, address: Address) -> bytes | str:
        with self._pool(place, address) as pool:
            response = pool.urlopen(
                "GET", place.path, headers=self._headers(place), redirect=False, retries=False, preload_content=False
            )
            try:
                if response.status in MOVED and response.headers.get("location"):
                    return str(response.headers["location"])
                self._accept(place, response)
                return self._body(place, response)
            finally:
                response.close()

    def _pool(self, place: Place, address: Address) -> urllib3.HTTPConnectionPool:
        if place.scheme == "http":
            return urllib3.HTTPConnectionPool(str(address), place.port, timeout=TIMEOUT)
        return urllib3.HTTPSConnectionPool(
            str(address),
            place.port,
            timeout=TIMEOUT,
            server_hostname=place.host,  # asked for and verified, whatever address it is at
            ssl_context=self.credentials.context(),
        )

    def _headers(self, place: Place) -> dict[str, str]:
        """Return what is sent; credentials to the declared server alone."""
        headers = {"host": place.authority, "accept-encoding": "identity", "user-agent": "evermodel"}
        if self.credentials.authorization and place.server == self.origin.server:
            headers["authorization"] = self.credentials.authorization
        return headers

    def _accept(self, place: Place, response: urllib3.BaseHTTPResponse) -> None:
        status = response.status
        if status == HTTPStatus.OK:
            return
        said = f"{place} answered {status} {response.reason or ''}".rstrip()
        if status in LATER or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise AwayError(said)
        if status in DENIED:
            raise _not_found(f"{said}: name a Secret with a token, or username and password, in {FIELD}.")
        raise _not_found(f"{said}: no file is there. Correct spec.data.train.uri.")

    def _body(self, place: Place, response: urllib3.BaseHTTPResponse) -> bytes:
        told = response.headers.get("content-length", "")
        if told.isdecimal():
            self.memory.check_stored(int(told), str(place))
        whole = io.BytesIO()
        for piece in response.stream(PIECE, decode_content=False):
            whole.write(piece)
            self.memory.check_stored(whole.tell(), f"{place}, as far as it has come,")
        return whole.getvalue()


def _not_found(message: str) -> JobError:
    return JobError(FailureReason.DATA_NOT_FOUND, message)
