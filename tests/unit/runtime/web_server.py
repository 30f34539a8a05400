"""A web server on loopback, with or without TLS, that says what it is told to and remembers what it was asked."""

from __future__ import annotations

import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HOST = "files.example"
Answer = Callable[["Server", BaseHTTPRequestHandler], None]


@dataclass(frozen=True)
class Certificate:
    """Key and certificate of a host, which is an authority as well."""

    certificate: Path
    key: Path


@dataclass
class Server:
    """What is asked, and what is answered by path."""

    port: int
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)

    def url(self, path: str, host: str = HOST) -> str:
        return f"https://{host}:{self.port}{path}"


def make_certificate(folder: Path, host: str) -> Certificate:
    made = Certificate(folder / f"{host}.crt", folder / f"{host}.key")
    subject = ["-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}", "-days", "2", "-nodes"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-keyout", str(made.key)]
    command = ["openssl", "req", "-x509", *key, "-out", str(made.certificate), *subject]
    subprocess.run(command, check=True, capture_output=True)
    return made


class Quiet(ThreadingHTTPServer):
    """Says nothing of callers that hang up: tests make them do so."""

    def handle_error(self, *_: object) -> None:
        pass


@contextmanager
def serving(certificate: Certificate | None) -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            server.answers[self.path.partition("?")[0]](server, self)

        def log_message(self, *_: object) -> None:
            pass

    listening = Quiet(("127.0.0.1", 0), Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.certificate, certificate.key)
        listening.socket = context.wrap_socket(listening.socket, server_side=True, do_handshake_on_connect=False)
    server = Server(listening.server_address[1])
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


def says(status: int, body: bytes = b"", **headers: str) -> Answer:
    """Answer with a length."""

    def answer(_: Server, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in ({"content_length": str(len(body))} | headers).items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def without_length(body: bytes) -> Answer:
    """Answer, and close where the file ends."""

    def answer(_: Server, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def in_turn(*answers: Answer) -> Answer:
    """Answer one way after the other; the last remains."""
    left = list(answers)

    def answer(server: Server, handler: BaseHTTPRequestHandler) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(server, handler)

    return answer
