"""manifests/samples applied as they are, what people do with them by the manual, and the whole loop of one."""

from __future__ import annotations

import asyncio
import json
import math
import os
import re
import shlex
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
import yaml
from tests.cluster.profiles import REPO
from tests.demo.camera import Camera
from tests.demo.commands import output
from tests.demo.errors import DemoError
from tests.demo.journal import Journal
from tests.demo.stages import Snapshot
from tests.demo.story import Story
from tests.demo.traffic import Clients
from tests.e2e import manifests, namespaces, warehouse
from tests.e2e.figures import Figure
from tests.e2e.hub import Hub
from tests.e2e.installation import Installation
from tests.e2e.namespaces import Namespace
from tests.samples import uploads

from evermodel.contract import Manifest, Metric, ModelFormat
from evermodel.kube.client import Object
from evermodel.kube.kinds import MODEL
from evermodel_runtime.serve.metadata import DATE_TIME
from evermodel_runtime.serve.protocol import Datatype, InferResponse, ModelMetadata, TensorMetadata

OPERATIONS = REPO / "docs" / "operations.md"
MINUTES = "--timeout=300s"
OF_THE_API_SERVER = {"managedFields", "resourceVersion"}


@dataclass(frozen=True, slots=True)
class Sample:
    """A file of manifests/samples."""

    path: Path

    @property
    def objects(self) -> list[Object]:
        """What is in it."""
        return list(yaml.safe_load_all(self.path.read_text(encoding="utf-8")))

    @property
    def model(self) -> Object:
        """Its ModelDeployment."""
        (found,) = [one for one in self.objects if one["kind"] == MODEL.name]
        return found

    @property
    def name(self) -> str:
        """Name of its ModelDeployment."""
        name: str = self.model["metadata"]["name"]
        return name

    @property
    def files(self) -> dict[str, bytes]:
        """What it wants uploaded to the hub first."""
        text = self.path.read_text(encoding="utf-8")
        return {name: content for name, content in uploads.files().items() if f"hub://{name}" in text}

    @property
    def needs_warehouse(self) -> bool:
        """Whether its rows are in the claim or on the server of that name."""
        return str(self.model["spec"]["data"]["train"]["uri"]).startswith(warehouse.NAMED)

    def without_pin(self) -> list[Object]:
        """Return what is applied first where the file pins a version: it has to be made before."""
        for one in (found := self.objects):
            one.get("spec", {}).pop("version", None)
        return found


Batch = tuple[Sample, ...]
AT_ONCE = 12
"""Samples whose pods two cores have room for beside each other."""
TOLD_OF = "digits"
"""The sample that the last tests go on with."""
MADE_TWICE = {"digits": ModelFormat.ONNX, "tickets": ModelFormat.SKOPS, "searched": ModelFormat.ONNX}
"""Samples that are made once more in another namespace, and how they are stored."""
SAMPLES = sorted(
    (Sample(path) for path in (REPO / "manifests" / "samples").glob("*.yaml")),
    key=lambda sample: (sample.name in MADE_TWICE, sample.path),
)
_EACH = math.ceil(len(SAMPLES) / math.ceil(len(SAMPLES) / AT_ONCE))
BATCHES: list[Batch] = [tuple(SAMPLES[start : start + _EACH]) for start in range(0, len(SAMPLES), _EACH)]


def _named(batch: Batch) -> str:
    return f"{batch[0].path.stem} to {batch[-1].path.stem}"


with_the_last_batch = pytest.mark.parametrize("applied", BATCHES[-1:], indirect=True, scope="module", ids=_named)


@pytest.fixture(scope="module")
def applied(installation: Installation, shared_name: str, request: pytest.FixtureRequest) -> Iterator[Batch]:
    """Apply samples as they are, in one namespace, and wait for each as a person does."""
    batch: Batch = request.param
    asyncio.run(_apply(installation, shared_name, batch))
    yield batch
    asyncio.run(_delete(installation, shared_name, batch))


async def _apply(installation: Installation, name: str, batch: Batch) -> None:
    async with namespaces.opened(installation, name) as namespace:
        if any(sample.needs_warehouse for sample in batch):
            await warehouse.open_warehouse(namespace)
        for sample in batch:
            if not sample.needs_warehouse and not sample.files:
                await namespace.apply(*sample.without_pin())
        for sample in batch:  # by now the pods start that these want
            if sample.needs_warehouse:
                await warehouse.wait_for_warehouse(namespace)
            for file, content in sample.files.items():
                await Hub(namespace).upload(file, content)
            if sample.needs_warehouse or sample.files:
                await namespace.apply(*sample.without_pin())
        await _wait(namespace, batch)
        for sample in batch:
            await namespace.kubectl("apply", "-f", sample.path)
        await _wait(namespace, batch)


async def _wait(namespace: Namespace, batch: Batch) -> None:
    for sample in batch:
        await namespace.kubectl("wait", "--for=condition=Ready", f"model/{sample.name}", MINUTES, within=310)


async def _delete(installation: Installation, name: str, batch: Batch) -> None:
    async with namespaces.opened(installation, name) as namespace:
        await namespace.kubectl("delete", "--ignore-not-found", *(f"model/{sample.name}" for sample in batch))


@pytest.mark.usefixtures("applied")
@pytest.mark.parametrize(
    ("applied", "sample"),
    [pytest.param(batch, sample, id=sample.path.stem) for batch in BATCHES for sample in batch],
    indirect=["applied"],
    scope="module",
)
async def test_a_sample_is_served_by_the_open_inference_protocol(sample: Sample, shared: Namespace) -> None:
    url = f"{await shared.address(sample.name)}/v2/models/{sample.name}"
    async with aiohttp.ClientSession() as session:
        async with session.get(url) as answer:
            metadata = msgspec.json.decode(await answer.read(), type=ModelMetadata)
        request = {"id": "mine", "inputs": [_tensor(one) for one in metadata.inputs]}
        async with session.post(f"{url}/infer", json=request) as answer:
            answered = msgspec.json.decode(await answer.read(), type=InferResponse)
    answer_to = next(output for output in metadata.outputs if output.name in {"label", "prediction"})
    assert (metadata.name, metadata.versions) == (sample.name, ("1",))
    assert (answered.id, answered.model_name, answered.model_version) == ("mine", sample.name, "1")
    assert len(answered.parameters.prediction_ids) == 1
    (output,) = [output for output in answered.outputs if output.name == answer_to.name]
    assert output.data is not None
    (predicted,) = output.data
    assert predicted in answer_to.parameters["classes"] if answer_to.name == "label" else isinstance(predicted, float)


def _tensor(input_: TensorMetadata) -> Object:
    """Return one row for an input, as its metadata ask for it."""
    shape = [1 if size == -1 else size for size in input_.shape]
    text = "2026-01-31" if input_.parameters.get("format") == DATE_TIME else "basic"
    row: list[Any] = [text] if input_.datatype is Datatype.BYTES else [1.0] * shape[-1]
    return {"name": input_.name, "shape": [1, len(row)], "datatype": input_.datatype, "data": row}


@with_the_last_batch
async def test_kubectl_get_models_shows_version_holdout_threshold_and_after_labels_the_live_accuracy(
    applied: Batch,
    shared: Namespace,
) -> None:
    clients = Clients(
        url=await shared.address("digits"),
        model="digits",
        photograph=Camera.of_rows_after(1000, seed=3).photograph,
        rate=50,
    )
    labelling = asyncio.create_task(clients.run())

    def shows_live_accuracy(snapshot: Snapshot) -> bool:
        """The status shows a live accuracy."""
        return snapshot.status.live is not None and snapshot.status.live.value is not None

    await shared.until("digits", shows_live_accuracy)
    labelling.cancel()

    rows = _table(await shared.kubectl("get", "models"))
    assert {row["NAME"] for row in rows} == {sample.name for sample in applied}
    metrics = {sample.name: sample.model["spec"]["objective"].get("metric", "accuracy") for sample in applied}
    for row in rows:
        metric = metrics[row["NAME"]]
        assert (row["READY"], row["PHASE"], row["VERSION"], row["METRIC"]) == ("True", "Ready", "1", metric)
        holdout, threshold = float(row["HOLDOUT"]), float(row["THRESHOLD"])
        assert holdout <= threshold if Metric(metric).lower_is_better else holdout >= threshold
    digits = next(row for row in rows if row["NAME"] == "digits")
    assert float(digits["LIVE"]) > 0.5
    assert clients.tally.failures == []


def _table(text: str) -> list[dict[str, str]]:
    """Read a table of kubectl, in which a cell may be empty."""
    head, *lines = text.splitlines()
    columns = [(match.group().strip(), match.start(), match.end()) for match in re.finditer(r"\S+\s*", head)]
    ends = [start for _, start, _ in columns[1:]] + [None]
    return [
        {name: line[start:end].strip() for (name, start, _), end in zip(columns, ends, strict=True)} for line in lines
    ]


@pytest.mark.usefixtures("applied")
@with_the_last_batch
async def test_the_namespace_admits_only_restricted_pods(shared: Namespace) -> None:
    """All pods of the samples were admitted here: this shows that others would not have been."""
    with pytest.raises(DemoError, match="violates PodSecurity"):
        await shared.kubectl("run", "root", "--image=any", "--dry-run=server")


@with_the_last_batch
async def test_a_file_is_uploaded_to_the_hub_as_the_manual_says_and_trained_on(
    applied: Batch, installation: Installation, shared: Namespace, tmp_path: Path, unused_tcp_port: int
) -> None:
    rows = "\n".join(["age,income,target", *(f"{age},{age * 7 % 60},{int(age > 30)}" for age in range(1, 61))])
    (tmp_path / "customers.csv").write_text(rows, encoding="utf-8")
    await _make_room(shared, applied, but=MADE_TWICE)
    answer = await _run_of_the_manual("Give it data", installation, shared.name, tmp_path, unused_tcp_port)
    stored = json.loads(answer)
    assert (stored["name"], stored["size"]) == ("customers.csv", len(rows))

    training = {"estimator": "LogisticRegression"}
    declared = manifests.model("customers", uri="hub://customers.csv", threshold=0.7, training=training)
    declared["spec"]["data"]["train"]["sha256"] = stored["sha256"]
    await shared.apply(declared)
    ready = await shared.becomes_ready("customers")
    (version,) = ready.versions
    assert version.status.data_sha256 == stored["sha256"]


@with_the_last_batch
async def test_the_same_declaration_makes_the_same_bytes_in_pods_of_another_namespace(
    applied: Batch, shared: Namespace, namespace: Namespace
) -> None:
    """Another hub, other pods and tokens: the same are what was declared, and all that a manifest names by digest."""
    again = [sample for sample in applied if sample.name in MADE_TWICE]
    for sample in again:
        await namespace.apply(*sample.objects)
    one = {sample.name: await _manifest(shared, sample.name) for sample in again}
    other = {sample.name: await _manifest(namespace, sample.name) for sample in again}
    await _make_room(shared, applied, but={TOLD_OF})

    assert {name: manifest.format for name, manifest in one.items()} == MADE_TWICE
    assert one["searched"].search is not None
    assert other == one


async def _manifest(namespace: Namespace, model: str) -> Manifest:
    """Return the record of version 1, which names model, rows and trials by digest."""
    (version,) = (await namespace.until(model, is_trained)).versions
    return await Hub(namespace).manifest(model, version.status.manifest or "")


def is_trained(snapshot: Snapshot) -> bool:
    """There is a version, and it has its artifact."""
    return bool(snapshot.versions) and snapshot.versions[0].status.manifest is not None


async def _make_room(shared: Namespace, batch: Batch, *, but: Collection[str]) -> None:
    """Delete the samples but those that are still to be told of: their pods ask for much of two cores."""
    done = [f"model/{sample.name}" for sample in batch if sample.name not in but]
    await shared.kubectl("delete", "--ignore-not-found", *done)


@pytest.mark.usefixtures("applied")
@with_the_last_batch
async def test_a_model_recovers_by_itself_and_nothing_that_the_user_wrote_is_changed(
    installation: Installation, shared: Namespace, figure: Figure
) -> None:
    """The demo's story, from a model that serves to one that serves better."""
    declared = await shared.manifest("digits")
    camera, journal = Camera.of_rows_after(1000, seed=7), Journal()
    await Story(cluster=installation.cluster, camera=camera, journal=journal, namespace=shared.name).go_round()
    after = await shared.manifest("digits")

    assert journal.tally.failures == []
    assert after["spec"] == declared["spec"]
    assert _metadata(after) == _metadata(declared)
    turned_to_serving = journal.turned_to_serving()
    assert turned_to_serving is not None
    figure("seconds from the turned camera to the new version serving", turned_to_serving)


def _metadata(manifest: Object) -> Object:
    """Return what users and their tools write of an object's metadata, and what would show that somebody else did."""
    return {name: value for name, value in manifest["metadata"].items() if name not in OF_THE_API_SERVER}


async def _run_of_the_manual(section: str, installation: Installation, namespace: str, folder: Path, port: int) -> str:
    """Run a section's commands in a shell whose kubectl is that of the cluster, and return the hub's answer."""
    text = OPERATIONS.read_text(encoding="utf-8").partition(f"\n## {section}\n")[2]
    commands = re.search(r"```\n(.*?)```", text, re.DOTALL)
    assert commands is not None, section
    script = commands.group(1).replace("8080:8080", f"{port}:8080").replace("localhost:8080", f"localhost:{port}")
    kubectl = folder / "kubectl"
    program = shlex.join(map(str, installation.kubectl.program))
    kubectl.write_text(f'#!/bin/sh\nexec {program} --namespace={namespace} "$@"\n', encoding="utf-8")
    kubectl.chmod(0o755)
    prelude = f"cd {shlex.quote(str(folder))}; PATH=.:$PATH; set -e; trap 'kill $(jobs -p)' EXIT"
    environment = os.environ | {"KUBECONFIG": installation.kubectl.kubeconfig}
    said = await output("bash", "-c", f"{prelude}\n{script}", within=60, env=environment)
    return next(line for line in said.splitlines() if line.startswith("{"))
