"""A model of texts is trained and served by real processes, and answers as the pipeline does, whatever the text."""

from __future__ import annotations

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
from evermodel.contract import ModelFormat, PreprocessingStep
from evermodel_runtime.data.csvfile import read_csv
from evermodel_runtime.data.dataset import read_dataset, training_part
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
    content = table["data"]["tickets.csv"].encode()
    hub.upload("tickets.csv", content)
    steps = msgspec.convert(model["spec"]["training"]["preprocessing"], tuple[PreprocessingStep, ...])
    source = make_source(uri="hub://tickets.csv", target="topic", features=("message", "channel"))
    run = make_train_run(model=MODEL, hub_url=hub.url, data=source, preprocessing=steps, estimator="LogisticRegression")

    report = Jobs(tmp_path).run("train", run).report
    answers = asked(hub, report.manifest, {"message": list(TEXTS), "channel": ["mail"] * len(TEXTS)})

    part = training_part(read_dataset(read_csv(content, "tickets.csv"), source, steps))
    pipeline = make_recipe(run, part.features.columns).fit(part.features, part.target.labels)
    texts = np.array([text or "" for text in TEXTS], object)
    rows = FeatureRows(part.features.columns, (texts, np.array(["mail"] * len(TEXTS), object)))
    assert report.format is ModelFormat.SKOPS
    assert answers["label"] == pipeline.predict(rows.arrow()).tolist()
    expected = pipeline.predict_proba(rows.arrow()).astype(np.float32)
    assert answers["probabilities"] == pytest.approx(expected.ravel().tolist(), abs=1e-7)
    assert len(set(answers["label"])) == 3


def asked(hub: Hub, manifest: str, columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Serve a model, ask it about rows of text, and return what it answers."""
    inputs = [
        {"name": name, "shape": [len(values)], "datatype": "BYTES", "data": values} for name, values in columns.items()
    ]
    pod, url = serve(hub, manifest)
    try:
        session = requests.Session()
        session.mount(url, requests.adapters.HTTPAdapter(max_retries=until_up()))
        session.get(f"{url}/v2/health/ready", timeout=START_SECONDS).raise_for_status()
        answer = session.post(f"{url}/v2/models/{MODEL}/infer", json={"inputs": inputs}, timeout=START_SECONDS)
    finally:
        pod.terminate()
        pod.wait(START_SECONDS)
    assert answer.status_code == 200, answer.text
    return {output["name"]: output["data"] for output in answer.json()["outputs"]}
