"""What the Jobs' client makes of a hub's answers, over a real socket with a clock that costs no time."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import msgspec
import pytest

from evermodel.contract import Column, ColumnKind, FailureReason, FreshRange, LabelledRecord, LabelledRecords
from evermodel_runtime.artifacts.hub_client import HubClient, HubRefusedError, Waiting
from evermodel_runtime.data.failure import JobError

CONTENT = b"artifact"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class CutOff(bytes):
    """A body whose end does not come."""

    __slots__ = ()


@dataclass
class Answers:
    """Status and body for each request in turn; the last one for all that follow."""

    given: list[tuple[int, bytes]]
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def take(self, request: BaseHTTPRequestHandler) -> tuple[int, bytes]:
        self.asked.append(f"{request.command} {request.path}")
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        return self.given.pop(0) if len(self.given) > 1 else self.given[0]


class Clock:
    """Time that passes only when somebody waits."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        return self.seconds

    def pause(self, seconds: float) -> None:
        self.seconds += seconds


Serve = Callable[[Answers], HubClient]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def serve(clock: Clock) -> Iterator[Serve]:
    servers: list[ThreadingHTTPServer] = []

    def start(answers: Answers) -> HubClient:
        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("content-length", 0)))
                status, body = answers.take(self)
                self.send_response(status)
                self.send_header("content-length", str(len(body) + isinstance(body, CutOff)))
                self.end_headers()
                self.wfile.write(body)
                self.close_connection |= isinstance(body, CutOff)

            do_GET = do_PUT = do_POST = answer  # noqa: N815 - names of the standard library

            def log_message(self, *_arguments: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return HubClient(f"http://127.0.0.1:{server.server_port}", "digits", "secret", Waiting(clock.now, clock.pause))

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def error(status: int, text: str) -> tuple[int, bytes]:
    return status, msgspec.json.encode({"error": text})


def test_requests_carry_token_and_model(serve: Serve) -> None:
    answers = Answers([(200, CONTENT)])

    serve(answers).blob(DIGEST)

    assert answers.headers[0]["authorization"] == "Bearer secret"
    assert answers.headers[0]["x-evermodel-model"] == "digits"


def test_the_token_is_not_shown(serve: Serve) -> None:
    assert "secret" not in repr(serve(Answers([(200, b"")])))


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_hub_that_is_busy_is_asked_again(status: int, serve: Serve, clock: Clock) -> None:
    answers = Answers([error(status, "later"), error(status, "later"), (200, CONTENT)])

    assert serve(answers).blob(DIGEST) == CONTENT
    assert len(answers.asked) == 3
    assert clock.seconds == pytest.approx(0.6)


def test_a_hub_that_stays_busy_is_given_up_after_a_minute(serve: Serve, clock: Clock) -> None:
    with pytest.raises(JobError, match=r"did not answer for 60 s \(the hub answered 503, disk full\)") as failure:
        serve(Answers([error(503, "disk full")])).put_blob(CONTENT)

    assert failure.value.reason is FailureReason.HUB_UNAVAILABLE
    assert 50 < clock.seconds <= 60


def test_a_hub_that_is_not_there_is_given_up_after_a_minute(clock: Clock) -> None:
    client = HubClient("http://127.0.0.1:9", "digits", "secret", Waiting(clock.now, clock.pause))

    with pytest.raises(JobError, match="ConnectionError") as failure:
        client.blob(DIGEST)

    assert failure.value.reason is FailureReason.HUB_UNAVAILABLE


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_a_refusal_is_not_repeated(status: int, serve: Serve) -> None:
    answers = Answers([error(status, "no")])

    with pytest.raises(HubRefusedError, match=rf"GET /v1/blobs/{DIGEST}: the hub answered {status}, no"):
        serve(answers).blob(DIGEST)

    assert len(answers.asked) == 1


def test_damaged_bytes_are_refused(serve: Serve) -> None:
    with pytest.raises(JobError, match=f"not {DIGEST}") as failure:
        serve(Answers([(200, b"artefact")])).blob(DIGEST)

    assert failure.value.reason is FailureReason.DIGEST_MISMATCH


def test_a_dataset_that_was_never_uploaded_is_none(serve: Serve) -> None:
    answers = Answers([error(404, "no dataset")])

    assert serve(answers).dataset("a b", lambda _: None) is None
    assert answers.asked == ["GET /v1/datasets/a%20b"]


def test_the_size_of_a_dataset_is_known_before_it_is_fetched(serve: Serve) -> None:
    answers = Answers([(200, CONTENT)])
    sizes: list[int] = []

    assert serve(answers).dataset("a", sizes.append) == CONTENT
    assert (sizes, len(answers.asked)) == ([len(CONTENT)], 1)


def test_a_dataset_that_is_refused_by_its_size_is_not_read(serve: Serve) -> None:
    answers = Answers([(200, CutOff(CONTENT))])

    def refuse(size: int) -> None:
        raise JobError(FailureReason.OUT_OF_MEMORY, f"{size} bytes are too many")

    with pytest.raises(JobError, match="9 bytes are too many"):
        serve(answers).dataset("a", refuse)

    assert len(answers.asked) == 1


def test_a_dataset_whose_end_does_not_come_is_asked_for_again(serve: Serve) -> None:
    answers = Answers([(200, CutOff(CONTENT)), (200, CONTENT)])

    assert serve(answers).dataset("a", lambda _: None) == CONTENT
    assert len(answers.asked) == 2


def test_records_are_fetched_page_by_page(serve: Serve) -> None:
    first, second = ((Column(name=name, kind=ColumnKind.NUMBER),) for name in "ab")

    def page(
        *seqs: int, through: int, more: bool, version: int = 1, columns: tuple[Column, ...] = first
    ) -> tuple[int, bytes]:
        records = tuple(
            LabelledRecord(seq=seq, version=version, predicted_at=1.0, row=(1.0,), label="x") for seq in seqs
        )
        answer = LabelledRecords(
            records=records, columns={version: columns}, targets={version: f"t{version}"}, through=through, more=more
        )
        return 200, msgspec.json.encode(answer)

    answers = Answers(
        [
            page(3, 5, through=6, more=True),
            page(through=7, more=True),
            page(9, version=2, columns=second, through=9, more=False),
        ]
    )

    records = serve(answers).records(FreshRange(after=2, through=9, predicted_after=1.5))

    assert [(record.seq, record.version) for record in records.records] == [(3, 1), (5, 1), (9, 2)]
    assert records.columns == {1: first, 2: second}
    assert records.targets == {1: "t1", 2: "t2"}
    assert answers.asked == [
        f"GET /v1/models/digits/records?after={after}&through=9&predictedAfter=1.5&limit=5000" for after in (2, 6, 7)
    ]
