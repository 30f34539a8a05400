"""Loading: nothing is served before every digest is right, and the reason is told in words."""

import asyncio
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.unit.serve.http_calls import ToldHub
from tests.unit.serve.made_models import Made, digest, mixed, numeric, serve_config

from evermodel.contract import Reference
from evermodel_runtime.data.bins import number_bins
from evermodel_runtime.serve import artifact
from evermodel_runtime.serve.artifact import NotLoadedError, counter_when_possible, load, load_when_possible
from evermodel_runtime.serve.hub_client import HubAnswer
from evermodel_runtime.serve.readiness import Readiness


def stocked(made: Made) -> ToldHub:
    hub = ToldHub()
    hub.blobs = {made.digest: made.manifest_bytes, made.manifest.artifact: made.onnx}
    return hub


def changed(made: Made, onnx: bytes | None = None, **fields: Any) -> Made:
    onnx = made.onnx if onnx is None else onnx
    manifest = msgspec.structs.replace(made.manifest, **{"onnx": digest(onnx), **fields})
    return Made(onnx, manifest, made.estimator)


@pytest.mark.parametrize("made", [pytest.param(numeric(), id="numbers"), pytest.param(mixed(), id="text")])
async def test_a_sound_artifact_is_loaded(made: Made) -> None:
    model = await load(stocked(made), serve_config(made))

    assert model.manifest == made.manifest


@pytest.mark.parametrize(
    ("made", "words"),
    [
        pytest.param(changed(numeric(), onnx=b"no model"), "the ONNX model cannot be loaded: ", id="not ONNX"),
        pytest.param(changed(numeric(), onnx=b""), "the ONNX model cannot be loaded: ", id="empty"),
        pytest.param(changed(numeric(), onnx=numeric().onnx[:-50]), "the ONNX model cannot be loaded: ", id="cut off"),
        pytest.param(
            changed(numeric(), columns=numeric().manifest.columns[:2]),
            "the model does not answer: ",
            id="too few columns",
        ),
        pytest.param(changed(numeric(), classes=(7, 8, 9)), "which is none of its classes", id="other classes"),
        pytest.param(changed(numeric(), onnx_inputs="columns"), "the model does not answer: ", id="inputs by column"),
        pytest.param(changed(mixed(), onnx_inputs="matrix"), "the model does not answer: ", id="matrix"),
    ],
)
async def test_an_artifact_that_cannot_serve_is_told_apart(made: Made, words: str) -> None:
    with pytest.raises(NotLoadedError) as raised:
        await load(stocked(made), serve_config(made))

    assert words in str(raised.value)


@pytest.mark.parametrize("which", ["manifest", "ONNX model"])
async def test_other_bytes_than_the_digest_says_are_never_served(which: str) -> None:
    made = numeric()
    hub = stocked(made)
    key = made.digest if which == "manifest" else made.manifest.artifact
    hub.blobs[key] += b" "

    with pytest.raises(NotLoadedError, match=f"artifact digest mismatch: the {which} should be {key}, the hub's bytes"):
        await load(hub, serve_config(made))


async def test_a_manifest_that_cannot_be_read_is_named() -> None:
    hub = ToldHub()
    hub.blobs[digest(b"{}")] = b"{}"

    with pytest.raises(NotLoadedError, match="the manifest cannot be read: Object missing required field"):
        await load(hub, serve_config(numeric(), manifest=digest(b"{}")))


async def test_loading_goes_on_until_the_hub_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifact, "FIRST_RETRY_SECONDS", 0.001)
    made = numeric()
    hub = stocked(made)
    hub.next_answers = [None, None, HubAnswer(503, b'{"error": "starting"}'), HubAnswer(200, b"wrong bytes")]
    readiness = Reasons()

    await asyncio.wait_for(load_when_possible(hub, serve_config(made), readiness), 10)

    assert [reason.split(":")[0] for reason in readiness.told] == [
        "waiting for the hub at http",
        f"waiting for the manifest {made.digest}",
        "artifact digest mismatch",
    ]


async def test_what_drift_is_measured_against_is_asked_for_until_it_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(artifact, "FIRST_RETRY_SECONDS", 0.001)
    learnt = Reference(features=(), prediction=number_bins("prediction", np.arange(9, dtype=np.float32)))
    content = msgspec.json.encode(learnt)
    hub = ToldHub(None, HubAnswer(404, b'{"error": "no blob"}'), HubAnswer(200, b"wrong bytes"))
    hub.blobs = {digest(content): content}

    counter = await asyncio.wait_for(counter_when_possible(hub, changed(numeric(), bins=digest(content)).manifest), 10)

    assert counter is not None
    assert counter.counts(requests=0, refused=0).reference == digest(content)


async def test_a_version_without_reference_bins_has_no_drift() -> None:
    assert await counter_when_possible(ToldHub(), numeric().manifest) is None


class Reasons(Readiness):
    """Remembers every reason."""

    def __init__(self) -> None:
        self.told: list[str] = []
        super().__init__()
        self.told.clear()

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "reason":
            self.told.append(value)
