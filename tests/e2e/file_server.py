"""Runs in a pod, where nothing is installed: fills a claim, then serves files by https to whoever has the password."""

from __future__ import annotations

import hmac
import os
import ssl
from base64 import b64encode
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

GIVEN = Path("/given")
"""Has `claim`, the files of the claim by their paths there, and `web`, those that are served."""
CLAIM = Path("/claim")
CERTIFICATE = Path("/certificate")
PORT = 8443


class Files(SimpleHTTPRequestHandler):
    """Files of one folder."""

    def do_GET(self) -> None:
        """Answer, or ask for a password."""
        known = b64encode(f"{os.environ['USERNAME']}:{os.environ['PASSWORD']}".encode()).decode()
        if hmac.compare_digest(self.headers.get("authorization", ""), f"Basic {known}"):
            super().do_GET()
        else:
            self.send_error(HTTPStatus.UNAUTHORIZED)


def fill_claim() -> None:
    """Copy what was given, which a claim that is new does not have."""
    given = GIVEN / "claim"
    for file in given.rglob("*"):
        if file.is_file():
            there = CLAIM / file.relative_to(given)
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_bytes(file.read_bytes())


def serve() -> None:
    """Answer for ever; whoever finds the port open finds the claim filled."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE / "tls.crt", CERTIFICATE / "tls.key")
    with ThreadingHTTPServer(("", PORT), partial(Files, directory=str(GIVEN / "web"))) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.serve_forever()


if __name__ == "__main__":
    fill_claim()
    serve()
