"""HTTP requests as values, and the reader that makes them of what a connection receives."""

from collections.abc import Callable
from urllib.parse import unquote_to_bytes

import httptools
import msgspec

from evermodel_runtime.serve.bodies import check_size
from evermodel_runtime.serve.protocol import RequestError

MAX_HEAD_BYTES = 64 * 1024


class Request(msgspec.Struct, frozen=True, gc=False):
    """One request, its body whole."""

    method: str
    target: bytes
    """As the first line has it."""
    headers: dict[bytes, bytes]
    """By name in lower case."""
    body: bytes
    keep_alive: bool
    """Whether the caller wants to send more over this connection."""
    problem: RequestError | None = None
    """Why it is refused, whatever it asks for."""

    @property
    def path(self) -> str:
        """Return the target without host and query, its percent-encoded characters decoded."""
        target = self.target
        if not target.startswith(b"/"):  # as proxies are asked: http://host/path
            _, slash, rest = target.partition(b"://")[2].partition(b"/")
            target = slash + rest
        return unquote_to_bytes(target.partition(b"?")[0]).decode("utf-8", "replace")


class RequestReader:
    """Turns the bytes of one connection into requests, and hands each to ``take`` as soon as it is whole.

    What is no HTTP, too large or too slow becomes a request with a problem. The rest of a body that is too large is
    read and forgotten, so that its sender gets to read the answer.
    """

    def __init__(self, take: Callable[[Request], None], go_on: Callable[[], None]) -> None:
        self._take = take
        self._go_on = go_on
        """Asks the caller for a body that it holds back until then."""
        self._parser = httptools.HttpRequestParser(self)
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)  # it is not looked at
        self.arriving = False
        """Whether a request has begun and is not whole."""
        self.on_message_begin()
        self.arriving = False

    def feed(self, data: bytes) -> None:
        """Take bytes in."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            return  # it was handed over, as the last one
        except httptools.HttpParserCallbackError:
            raise
        except httptools.HttpParserError as error:
            self.refuse(RequestError(f"this is no HTTP/1.1: {error}"))
        if self._in_head and self.arriving:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self.refuse(RequestError(f"the headers are larger than {MAX_HEAD_BYTES >> 10} KiB", 431))

    def refuse(self, problem: RequestError) -> None:
        """Give the request that arrives up, and with it the connection: where the next begins is not known."""
        self._hand_over(b"", keep_alive=False, problem=problem)

    def on_message_begin(self) -> None:
        """Begin a request; this and what follows is called by the parser."""
        self.arriving = self._in_head = True
        self._head_bytes = 0
        self._refused = False
        self._target = b""
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._body_bytes = 0

    def on_url(self, part: bytes) -> None:
        """Take a part of the target in."""
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header in; of several with one name the last counts."""
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """Refuse a body that says that it is too large; ask for one that is held back."""
        self._in_head = False
        self._check_size(int(self._headers.get(b"content-length", b"0")))
        if b"expect" in self._headers and not self._refused:
            self._go_on()

    def on_body(self, part: bytes) -> None:
        """Take a part of the body in."""
        if self._refused:
            return
        self._body_bytes += len(part)
        self._body.append(part)
        self._check_size(self._body_bytes)

    def on_message_complete(self) -> None:
        """Hand the request over."""
        self.arriving = False
        if self._refused:
            return
        if self._parser.should_upgrade():  # of such a request the parser reads no body
            self._hand_over(b"", keep_alive=False, problem=self._upgrade_problem())
        else:
            body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
            self._hand_over(body, keep_alive=self._keep_alive())

    def _check_size(self, size: int) -> None:
        try:
            check_size(size)
        except RequestError as error:
            self._hand_over(b"", keep_alive=self._keep_alive(), problem=error)

    def _upgrade_problem(self) -> RequestError | None:
        if b"transfer-encoding" in self._headers or self._headers.get(b"content-length", b"0") != b"0":
            return RequestError("this server speaks HTTP/1.1 alone: send the request without an Upgrade header")
        return None

    def _keep_alive(self) -> bool:
        if not self._parser.should_keep_alive():
            return False
        headers = self._headers
        return not (b"connection" in headers and self._parser.get_http_version() == "1.0") and b"expect" not in headers

    def _hand_over(self, body: bytes, *, keep_alive: bool, problem: RequestError | None = None) -> None:
        self._refused = problem is not None
        self._body = []
        method = "" if self._in_head else self._parser.get_method().decode("ascii")
        self._take(Request(method, self._target, self._headers, body, keep_alive, problem))
