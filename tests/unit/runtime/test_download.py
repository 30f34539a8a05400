"""Files of web servers: real servers on loopback, which only these tests may fetch from."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

import pytest
from tests.unit.runtime.made_runs import as_csv, make_numbers, make_source
from tests.unit.runtime.memory_hub import MemoryHub
from tests.unit.runtime.web_server import (
    HOST,
    Certificate,
    Server,
    in_turn,
    make_certificate,
    says,
    serving,
    without_length,
)

from evermodel.contract import FailureReason
from evermodel_runtime.data.addresses import Address, refusal
from evermodel_runtime.data.download import PAUSES, Web, download
from evermodel_runtime.data.failure import JobError
from evermodel_runtime.data.memory import LIBRARIES, Memory
from evermodel_runtime.data.source import read_data

CONTENT = as_csv(make_numbers(200))
ALLOWED = {ip_address("127.0.0.1"), ip_address("127.0.0.3")}
"""Of loopback: where the servers are, and where nobody listens."""
PLENTY = Memory(1 << 40, "this Job's memory limit")
SECRET = "pa55-wörd"


@dataclass
class Names:
    """Names that lead to a server on loopback, which is allowed here; everything else is as in production."""

    known: dict[str, list[str]] = field(default_factory=lambda: {HOST: ["127.0.0.1"], "mirror.example": ["127.0.0.1"]})
    looked_up: list[str] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)

    def web(self) -> Web:
        return Web(resolve=self._resolve, refusal=self._refusal, pause=self.pauses.append)

    def _resolve(self, host: str, _port: int) -> list[Address]:
        self.looked_up.append(host)
        if host not in self.known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [ip_address(one) for one in self.known[host]]

    def _refusal(self, address: Address) -> str | None:
        return None if address in ALLOWED else refusal(address)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Certificate]:
    folder = tmp_path_factory.mktemp("certificates")
    return {host: make_certificate(folder, host) for host in (HOST, "mirror.example")}


@pytest.fixture
def server(certificates: dict[str, Certificate]) -> Iterator[Server]:
    with serving(certificates[HOST]) as made:
        yield made


@pytest.fixture
def secret(tmp_path: Path, certificates: dict[str, Certificate]) -> Path:
    """Give a Secret that is mounted: its one key is the authority of the server."""
    (tmp_path / "ca.crt").write_bytes(certificates[HOST].certificate.read_bytes())
    return tmp_path


def fetch(server: Server, secret: Path, names: Names | None = None, path: str = "/train.csv") -> bytes:
    return download(server.url(path), "warehouse", secret, PLENTY, (names or Names()).web())


def failed(server: Server, secret: Path, names: Names | None = None, path: str = "/train.csv") -> JobError:
    with pytest.raises(JobError) as failure:
        fetch(server, secret, names, path)
    return failure.value


def test_a_file_is_read_by_the_name_of_its_server(server: Server, secret: Path) -> None:
    server.answers["/train.csv"] = says(200, CONTENT)
    source = make_source(
        uri=server.url("/train.csv?v=1"), credentials="warehouse", sha256=hashlib.sha256(CONTENT).hexdigest()
    )

    table, digest = read_data(source, datasets=MemoryHub(), mount=secret, web=Names().web())

    assert (len(table), digest) == (200, source.sha256)
    ((path, headers),) = server.asked
    assert path == "/train.csv?v=1"
    assert headers["host"] == f"{HOST}:{server.port}"
    assert "authorization" not in headers


def test_other_bytes_than_the_declared_ones_are_refused(server: Server, secret: Path) -> None:
    server.answers["/train.csv"] = says(200, CONTENT)
    source = make_source(uri=server.url("/train.csv"), credentials="warehouse", sha256="ab" * 32)

    with pytest.raises(JobError) as failure:
        read_data(source, datasets=MemoryHub(), mount=secret, web=Names().web())

    assert failure.value.reason is FailureReason.DIGEST_MISMATCH


def test_a_name_is_looked_up_once_and_the_checked_address_is_asked(server: Server, secret: Path) -> None:
    server.answers["/train.csv"] = says(200, CONTENT)

    class Rebinding(Names):
        def _resolve(self, host: str, port: int) -> list[Address]:
            found = super()._resolve(host, port)
            self.known[host] = ["169.254.169.254"]
            return found

    names = Rebinding()
    assert fetch(server, secret, names) == CONTENT
    assert names.looked_up == [HOST]


def test_an_address_that_does_not_answer_is_passed_over(server: Server, secret: Path) -> None:
    server.answers["/train.csv"] = says(200, CONTENT)
    names = Names(known={HOST: ["127.0.0.3", "127.0.0.1"]})

    assert fetch(server, secret, names) == CONTENT


@pytest.mark.parametrize(
    ("keys", "sent"),
    [
        pytest.param({"token": "t0ken\n"}, "Bearer t0ken", id="a token"),
        pytest.param({"username": "me", "password": SECRET}, "Basic bWU6cGE1NS13w7ZyZA==", id="a password in UTF-8"),
        pytest.param({"token": "t", "username": "me", "password": "x"}, "Bearer t", id="a token before a password"),
    ],
)
def test_the_declared_server_is_sent_the_credentials(
    keys: dict[str, str], sent: str, server: Server, secret: Path
) -> None:
    server.answers["/train.csv"] = says(200, CONTENT)
    for name, value in keys.items():
        (secret / name).write_text(value, "utf-8")

    fetch(server, secret)

    assert server.asked[0][1]["authorization"] == sent


@pytest.mark.parametrize(
    ("host", "sent"),
    [
        pytest.param(HOST, "Bearer t0ken", id="another path of the same server"),
        pytest.param("mirror.example", None, id="another server"),
    ],
)
def test_a_redirect_takes_credentials_to_the_same_server_alone(
    host: str, sent: str | None, certificates: dict[str, Certificate], server: Server, secret: Path
) -> None:
    (secret / "ca.crt").write_bytes(b"".join(one.certificate.read_bytes() for one in certificates.values()))
    (secret / "token").write_text("t0ken")
    with serving(certificates["mirror.example"]) as other:
        target = server if host == HOST else other
        target.answers["/moved.csv"] = says(200, CONTENT)
        server.answers["/train.csv"] = says(302, location=target.url("/moved.csv", host))

        assert fetch(server, secret) == CONTENT
        assert target.asked[-1][1].get("authorization") == sent


@pytest.mark.parametrize(
    ("location", "reason", "words"),
    [
        pytest.param("https://inner.example/x", FailureReason.SPEC_INVALID, "link-local", id="the metadata server"),
        pytest.param("https://local.example/x", FailureReason.SPEC_INVALID, "the pod itself", id="the pod itself"),
        pytest.param("https://two.example/x", FailureReason.SPEC_INVALID, "link-local", id="one address of two"),
        pytest.param("http://files.example/x", FailureReason.DATA_NOT_FOUND, "anybody on the way", id="without TLS"),
        pytest.param("file:///etc/passwd", FailureReason.DATA_NOT_FOUND, "no address of a file", id="a file"),
        pytest.param("https://me:x@files.example/", FailureReason.DATA_NOT_FOUND, "no address", id="a user"),
        pytest.param("https://gone.example/x", FailureReason.DATA_NOT_FOUND, "no host gone.example", id="no host"),
        pytest.param("/train.csv", FailureReason.DATA_NOT_FOUND, "more than 5 times", id="in a circle"),
    ],
)
def test_a_redirect_leads_nowhere_where_a_source_may_not_be(
    location: str, reason: FailureReason, words: str, server: Server, secret: Path
) -> None:
    server.answers["/train.csv"] = says(307, location=location)
    names = Names()
    names.known |= {
        "inner.example": ["169.254.169.254"],
        "local.example": ["::ffff:127.0.0.2"],
        "two.example": ["127.0.0.1", "169.254.169.254"],
    }

    failure = failed(server, secret, names)

    assert (failure.reason, words in failure.message) == (reason, True), failure.message


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "169.254.169.254", "169.254.1.1", "224.0.0.1", "255.255.255.255",
        "100.100.100.200", "168.63.129.16", "::1", "::", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1",
        "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "ff02::1",
    ],
)  # fmt: skip
def test_is_no_address_of_a_source(address: str) -> None:
    assert refusal(ip_address(address)) is not None


@pytest.mark.parametrize(
    "address",
    [
        "10.96.0.12",
        "172.16.3.4",
        "192.168.1.1",
        "100.64.0.1",
        "93.184.216.34",
        "64:ff9b::808:808",
        "fd12::1",
        "2606::1",
    ],
)
def test_may_be_the_address_of_a_source(address: str) -> None:
    assert refusal(ip_address(address)) is None


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f.1", "localhost"])
def test_no_spelling_of_loopback_is_fetched_from(host: str, server: Server, secret: Path) -> None:
    server.answers["/train.csv"] = says(200, CONTENT)

    with pytest.raises(JobError, match="nothing is fetched from there") as failure:
        download(server.url("/train.csv", host), "warehouse", secret, PLENTY)

    assert failure.value.reason is FailureReason.SPEC_INVALID
    assert server.asked == []


def test_a_certificate_of_another_name_is_refused(server: Server, secret: Path) -> None:
    server.answers["/train.csv"] = says(200, CONTENT)

    with pytest.raises(JobError, match=r"not to be trusted: Hostname mismatch.*ca\.crt") as failure:
        download(server.url("/train.csv", "mirror.example"), "warehouse", secret, PLENTY, Names().web())

    assert failure.value.reason is FailureReason.DATA_NOT_FOUND
    assert server.asked == []


def test_an_unknown_authority_is_refused(server: Server, secret: Path) -> None:
    with pytest.raises(JobError, match=r"not to be trusted: self-signed certificate"):
        download(server.url("/train.csv"), None, secret, PLENTY, Names().web())

    assert server.asked == []


@pytest.mark.parametrize(
    ("status", "words"),
    [
        pytest.param(404, "no file is there", id="not found"),
        pytest.param(410, "no file is there", id="gone"),
        pytest.param(401, "name a Secret with a token", id="unknown"),
        pytest.param(403, "spec.data.credentialsSecretRef", id="not for us"),
    ],
)
def test_an_answer_for_good_is_not_asked_for_again(status: int, words: str, server: Server, secret: Path) -> None:
    server.answers["/train.csv"] = says(status)
    (secret / "token").write_text("t0ken")

    failure = failed(server, secret)

    assert failure.reason is FailureReason.DATA_NOT_FOUND
    assert f"answered {status}" in failure.message
    assert words in failure.message
    assert "t0ken" not in failure.message
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_a_server_that_is_away_is_asked_again_and_told_of(status: int, server: Server, secret: Path) -> None:
    server.answers["/train.csv"] = says(status)
    names = Names()

    failure = failed(server, secret, names, "/train.csv")

    assert failure.reason is FailureReason.SOURCE_UNAVAILABLE
    assert (
        f"could not be fetched in 5 tries: https://{HOST}:{server.port}/train.csv answered {status}" in failure.message
    )
    assert len(server.asked) == 5
    assert names.pauses == list(PAUSES)


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(says(503), id="busy"),
        pytest.param(says(200, CONTENT[:100], content_length=str(len(CONTENT))), id="broken off"),
    ],
)
def test_a_server_that_comes_back_is_waited_for(first: object, server: Server, secret: Path) -> None:
    server.answers["/train.csv"] = in_turn(first, says(200, CONTENT))  # type: ignore[arg-type] # an Answer, as a case

    assert fetch(server, secret) == CONTENT


def test_a_server_that_does_not_listen_is_away(certificates: dict[str, Certificate], secret: Path) -> None:
    with serving(certificates[HOST]) as gone:
        pass

    assert failed(gone, secret).reason is FailureReason.SOURCE_UNAVAILABLE


def test_a_file_that_does_not_fit_is_refused_before_it_comes(server: Server, secret: Path) -> None:
    server.answers["/train.csv"] = says(200, b"", content_length=str(1 << 40))
    small = Memory(LIBRARIES + (1 << 20), "this Job's memory limit")

    with pytest.raises(JobError, match=r"is 1,?024\.0 GiB") as failure:
        download(server.url("/train.csv"), "warehouse", secret, small, Names().web())

    assert failure.value.reason is FailureReason.OUT_OF_MEMORY


def test_a_file_of_unknown_length_is_refused_when_it_no_longer_fits(server: Server, secret: Path) -> None:
    server.answers["/train.csv"] = without_length(bytes(4 << 20))
    small = Memory(LIBRARIES + (2 << 20), "this Job's memory limit")

    with pytest.raises(JobError, match="as far as it has come") as failure:
        download(server.url("/train.csv"), "warehouse", secret, small, Names().web())

    assert failure.value.reason is FailureReason.OUT_OF_MEMORY


@pytest.mark.parametrize(
    ("keys", "reason", "words"),
    [
        pytest.param({}, FailureReason.DATA_NOT_FOUND, "no Secret warehouse", id="no Secret, or none of its keys"),
        pytest.param({"username": "me"}, FailureReason.SPEC_INVALID, "needs both keys", id="a user alone"),
        pytest.param({"token": "s3cret\nx: y"}, FailureReason.SPEC_INVALID, "one line", id="a token of two lines"),
        pytest.param({"ca.crt": "none"}, FailureReason.SPEC_INVALID, "no certificate", id="no certificate"),
    ],
)
def test_credentials_that_are_none_are_told_without_a_secret(
    keys: dict[str, str], reason: FailureReason, words: str, server: Server, tmp_path: Path
) -> None:
    for name, value in keys.items():
        (tmp_path / name).write_text(value)

    failure = failed(server, tmp_path)

    assert (failure.reason, words in failure.message) == (reason, True), failure.message
    assert "s3cret" not in failure.message


def test_a_known_file_may_come_without_tls(tmp_path: Path) -> None:
    with serving(None) as plain:
        plain.answers["/train.csv"] = says(200, CONTENT)
        url = plain.url("/train.csv").replace("https", "http")

        assert download(url, None, tmp_path, PLENTY, Names().web()) == CONTENT
