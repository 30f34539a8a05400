"""The report of an evaluation, from Jobs as processes to the page that a person fetches from the hub."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser

import msgspec
import pytest
import requests
from tests.contract.job_processes import KEY, MODEL, Hub, Jobs
from tests.unit.runtime.made_runs import as_csv, make_evaluate_run, make_source, make_table, make_train_run

from evermodel.contract import EvaluationReport, TrainReport
from evermodel.tokens import Role, role_token
from evermodel_runtime.evaluate.report import Report

HOSTILE = '"><script src=//example.com/a.js></script>'
"""The name of a column and a value in it."""
VERSION = 2


@dataclass(frozen=True)
class Evaluated:
    """A hub that holds one version's report, and what the Job told of it."""

    hub: Hub
    told: EvaluationReport

    def ask(self, name: str, *, model: str = MODEL, token: str | None = None, caller: str = "*") -> requests.Response:
        """Fetch as docs/operations.md says, but for what is changed."""
        headers = {
            "authorization": f"Bearer {token or role_token(KEY, '*', Role.UPLOADER)}",
            "x-evermodel-model": caller,
        }
        return requests.get(f"{self.hub.url}/v1/models/{model}/versions/{VERSION}/{name}", headers=headers, timeout=30)


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evaluated]:
    folder = tmp_path_factory.mktemp("report")
    hub, jobs = Hub(folder / "hub"), Jobs(folder)
    hub.folder.mkdir()
    hub.start()
    try:
        table = [{**row, HOSTILE: HOSTILE if row["colour"] == "red" else "b"} for row in make_table(300)]
        hub.upload("flowers.csv", as_csv(table))
        source = make_source(features=("height", "width", HOSTILE))
        trained = jobs.run("train", make_train_run(hub_url=hub.url, model=MODEL, data=source))
        assert isinstance(trained.report, TrainReport), trained.errors
        run = make_evaluate_run(
            trained.report.manifest, trained.report.data_sha256,
            hub_url=hub.url, model=MODEL, version=VERSION, data=source, champion=trained.report.manifest,
        )  # fmt: skip
        judged = jobs.run("evaluate", run)
        assert isinstance(judged.report, EvaluationReport), judged.errors
        yield Evaluated(hub, judged.report)
    finally:
        hub.stop()


class Page(HTMLParser):
    """The elements of a page, with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_report_as_json_is_what_the_job_told(evaluated: Evaluated) -> None:
    answer = evaluated.ask("report")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    report = msgspec.json.decode(answer.content, type=Report)
    (only,) = report.sets
    assert (report.model, report.version) == (MODEL, VERSION)
    assert only.score == evaluated.told.reference
    assert only.importance is not None
    worth = {one.column: one.mean for one in only.importance.features}
    assert list(worth) == ["height", "width", HOSTILE]
    assert worth["height"] > worth["width"]
    assert worth[HOSTILE] > worth["width"]


def test_the_page_loads_and_runs_nothing_and_shows_hostile_names_as_text(evaluated: Evaluated) -> None:
    answer = evaluated.ask("report.html")

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    page = Page(answer.content.decode())
    tags = {tag for tag, _ in page.elements}
    assert tags <= PLAIN, tags - PLAIN
    attributes = {name for _, given in page.elements for name in given}
    assert not {name for name in attributes if name.startswith("on") or name in LOADING}
    assert not [word for word in ("url(", "@import") if word in answer.text]
    assert HOSTILE in page.text
    assert "Permutation importance" in {given.get("aria-label") for _, given in page.elements}


PLAIN = frozenset({
    "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "ul", "li",
    "table", "caption", "thead", "tbody", "tr", "th", "td",
    "svg", "g", "text", "path", "line", "polyline", "circle", "rect",
})  # fmt: skip
"""Elements of which none loads or runs anything without an attribute of LOADING."""
LOADING = frozenset({"src", "srcset", "href", "xlink:href", "action", "data", "style", "http-equiv"})


@pytest.mark.parametrize("name", ["report", "report.html"])
@pytest.mark.parametrize(
    ("caller", "token"),
    [
        pytest.param("roses", role_token(KEY, "roses", Role.TRAINER), id="another model's trainer"),
        pytest.param("roses", role_token(KEY, "roses", Role.SERVER), id="another model's serving pod"),
        pytest.param(MODEL, role_token(KEY, "roses", Role.TRAINER), id="another model's trainer, as this one's"),
        pytest.param("*", role_token(KEY, "roses", Role.TRAINER), id="another model's trainer, as the namespace's"),
        pytest.param(MODEL, role_token(KEY, MODEL, Role.SERVER), id="this model's serving pod"),
        pytest.param("*", role_token("4e" * 32, "*", Role.UPLOADER), id="another namespace's uploader"),
    ],
)
def test_it_is_refused_to_other_tokens(evaluated: Evaluated, name: str, caller: str, token: str) -> None:
    answer = evaluated.ask(name, caller=caller, token=token)
    assert answer.status_code in {401, 403}
    assert HOSTILE not in answer.text


def test_a_version_or_model_without_a_report_has_none(evaluated: Evaluated) -> None:
    assert evaluated.ask("report", model="roses").status_code == 404
    assert evaluated.ask("report.pdf").status_code == 404
