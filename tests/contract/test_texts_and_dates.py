"""Models of texts and of dates are trained and served by real processes, and answer as their pipelines do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import requests
import yaml
from tests.contract.job_processes import MODEL, Hub, Jobs, until_up
from tests.contract.test_skops import START_SECONDS, serve
from tests.unit.runtime.made_runs import make_source, make_train_run

from evermodel.api.generated import CHECKOUT
from evermodel.contract import Column, ColumnKind, ModelFormat, PreprocessingStep
from evermodel_runtime.data.dataset import read_dataset, training_part
from evermodel_runtime.data.formats import read_table
from evermodel_runtime.data.rows import FeatureRows
from evermodel_runtime.train.pipeline import make_recipe

TEXTS = (
    "The parcel has not arrived.",
    "LE CLAVIER SE BLOQUE TRÈS SOUVENT",
    "Straße",
    "",
    None,
    "日本 語 🦊",
    "e\u0301 is no é",
    "invoice " * 100_000,
    "x" * 1_000_000,
)


def test_every_text_gets_the_answer_of_the_pipeline(hub: Hub, tmp_path: Path) -> None:
    model, table = yaml.safe_load_all((CHECKOUT / "manifests" / "samples" / "text.yaml").read_text("utf-8"))
    content = table["data"]["tickets.jsonl"].encode()
    hub.upload("tickets.jsonl", content)
    steps = msgspec.convert(model["spec"]["training"]["preprocessing"], tuple[PreprocessingStep, ...])
    source = make_source(uri="hub://tickets.jsonl", target="topic", features=("message", "channel"))
    run = make_train_run(model=MODEL, hub_url=hub.url, data=source, preprocessing=steps, estimator="LogisticRegression")

    report = Jobs(tmp_path).run("train", run).report
    with serving(hub, report.manifest) as pod:
        answers = outputs(pod.infer({"message": list(TEXTS), "channel": ["mail"] * len(TEXTS)}))

    part = training_part(read_dataset(read_table(content, "tickets.jsonl"), source, steps))
    pipeline = make_recipe(run, part.features.columns).fit(part.features, part.target.labels)
    texts = np.array([text or "" for text in TEXTS], object)
    rows = FeatureRows(part.features.columns, (texts, np.array(["mail"] * len(TEXTS), object)))
    assert report.format is ModelFormat.SKOPS
    assert answers["label"] == pipeline.predict(rows.arrow()).tolist()
    expected = pipeline.predict_proba(rows.arrow()).astype(np.float32)
    assert answers["probabilities"] == pytest.approx(expected.ravel().tolist(), abs=1e-7)
    assert len(set(answers["label"])) == 3


def test_every_spelling_of_a_moment_gets_the_answer_of_the_pipeline(hub: Hub, tmp_path: Path) -> None:
    model, table = yaml.safe_load_all((CHECKOUT / "manifests" / "samples" / "dates.yaml").read_text("utf-8"))
    content = table["data"]["rentals.csv"].encode()
    hub.upload("rentals.csv", content)
    filled = PreprocessingStep(transformer="SimpleImputer", columns=("at",), parameters={"strategy": "most_frequent"})
    steps = (filled, *msgspec.convert(model["spec"]["training"]["preprocessing"], tuple[PreprocessingStep, ...]))
    source = make_source(uri="hub://rentals.csv", target="busy", features=("at",))
    run = make_train_run(model=MODEL, hub_url=hub.url, data=source, preprocessing=steps, estimator="LogisticRegression")

    report = Jobs(tmp_path).run("train", run).report
    with serving(hub, report.manifest) as pod:
        (described,) = pod.ask()["inputs"]
        told = pod.infer({"at": ["2026-03-02T08:10:00Z", "soon"]})
        answers = outputs(
            pod.infer({"at": ["2026-03-02T08:10:00Z", "2026-03-02 10:10:00+02:00", "2026-03-02T08:10", None]})
        )

    part = training_part(read_dataset(read_table(content, "rentals.csv"), source, steps))
    pipeline = make_recipe(run, part.features.columns).fit(part.features, part.target.labels)
    moments = np.array(["2026-03-02T08:10:00"] * 3 + [""], object)
    expected = pipeline.predict_proba(FeatureRows(part.features.columns, (moments,)).arrow()).astype(np.float32)
    assert (report.format, hub.manifest(report.manifest).columns) == (
        ModelFormat.SKOPS,
        (Column(name="at", kind=ColumnKind.DATE, nullable=True),),
    )
    assert described["parameters"] == {"format": "date-time", "nullable": True}
    assert told.status_code == 400
    assert "row 1 of column 'at' (input 'at') is the text 'soon', not a date: send ISO 8601" in told.json()["error"]
    assert answers["probabilities"] == pytest.approx(expected.ravel().tolist(), abs=1e-7)
    assert len({round(share, 6) for share in answers["probabilities"][:6:2]}) == 1


@dataclass(frozen=True, slots=True)
class Pod:
    """A server process."""

    session: requests.Session
    url: str

    def ask(self) -> dict[str, Any]:
        """Return what the model says of itself."""
        described: dict[str, Any] = self.session.get(self.url, timeout=START_SECONDS).json()
        return described

    def infer(self, columns: dict[str, list[Any]]) -> requests.Response:
        """Ask about rows of text."""
        inputs = [
            {"name": name, "shape": [len(values)], "datatype": "BYTES", "data": values}
            for name, values in columns.items()
        ]
        return self.session.post(f"{self.url}/infer", json={"inputs": inputs}, timeout=START_SECONDS)


@contextmanager
def serving(hub: Hub, manifest: str) -> Iterator[Pod]:
    """Serve a model."""
    pod, url = serve(hub, manifest)
    try:
        session = requests.Session()
        session.mount(url, requests.adapters.HTTPAdapter(max_retries=until_up()))
        session.get(f"{url}/v2/health/ready", timeout=START_SECONDS).raise_for_status()
        yield Pod(session, f"{url}/v2/models/{MODEL}")
    finally:
        pod.terminate()
        pod.wait(START_SECONDS)


def outputs(answer: requests.Response) -> dict[str, list[Any]]:
    """Return what was answered, by the output's name."""
    assert answer.status_code == 200, answer.text
    return {output["name"]: output["data"] for output in answer.json()["outputs"]}
