"""After the user's container: check the model that it wrote, and publish it. Nothing that it wrote is run as code."""

from __future__ import annotations

import os
from importlib.metadata import version
from platform import python_version

import msgspec

from evermodel.contract import Manifest, TrainReport, TrainRun
from evermodel_runtime.artifacts.bins import put_reference
from evermodel_runtime.artifacts.job import Surroundings, run_job
from evermodel_runtime.artifacts.manifests import encode_manifest
from evermodel_runtime.artifacts.onnx_file import check_graph
from evermodel_runtime.artifacts.scorer import ModelFileError, OnnxScorer
from evermodel_runtime.custom.answers import load_checked
from evermodel_runtime.custom.folders import HASHES_FILE, MODEL_FILE, PREPARED_FILE, SAMPLE_FILE, Folders, Prepared
from evermodel_runtime.custom.output import model_error, read_model, read_notes
from evermodel_runtime.custom.rows_file import read_sample
from evermodel_runtime.train.notes import LONGEST_NOTE
from evermodel_runtime.train.windows import Window

LIBRARIES = ("numpy", "onnx", "onnxruntime")


def main() -> int:
    """Publish as the environment says; returns the exit code."""
    folders = Folders.of(os.environ)
    return run_job(TrainRun, "train", lambda run, surroundings: publish(run, surroundings, folders))


def publish(run: TrainRun, surroundings: Surroundings, folders: Folders) -> TrainReport:
    """Check the model, store it, and report it as any training does."""
    say, hub = surroundings.progress, surroundings.hub
    prepared = msgspec.json.decode((folders.state / PREPARED_FILE).read_bytes(), type=Prepared)
    content = read_model(folders.output)
    notes = (*prepared.notes, *read_notes(folders.output))
    say(f"read {len(content):,} bytes of {folders.output / MODEL_FILE}")
    try:
        check_graph(content)
    except ModelFileError as error:
        raise model_error(str(error)) from error
    sample = read_sample(prepared.columns, folders.state / SAMPLE_FILE)
    manifest = load_checked(content, make_manifest(run, prepared), sample)
    say(f"the model takes its rows as {manifest.onnx_inputs} and answers {len(sample):,} of them as it should")
    for note in notes:
        say(note)
    scorer = OnnxScorer.load(content, manifest)
    stored = msgspec.structs.replace(
        manifest,
        bins=put_reference(hub, prepared.bins, scorer, sample, say),
        onnx=hub.put_blob(content),
        training_rows=hub.put_blob((folders.state / HASHES_FILE).read_bytes()),
    )
    named = hub.put_blob(encode_manifest(stored))
    say(f"published as manifest {named}")
    return TrainReport(
        manifest=named,
        data_sha256=prepared.data_sha256,
        rows=prepared.rows,
        feedback_rows=prepared.feedback_rows,
        window=Window.ALL.value,
        validation=None,
        classes=len(prepared.classes),
        notes=tuple(note[:LONGEST_NOTE] for note in notes),
        seconds=say.seconds,
    )


def make_manifest(run: TrainRun, prepared: Prepared) -> Manifest:
    """Write down what was made, all but the digests and how the model takes its rows."""
    return Manifest(
        model=run.model,
        version=run.version,
        target=run.data.target,
        task=run.task,
        columns=prepared.columns,
        classes=prepared.classes,
        onnx="",
        onnx_inputs="columns",
        training_rows="",
        majority=prepared.majority,
        mean=prepared.mean,
        median=prepared.median,
        data_sha256=prepared.data_sha256,
        feedback_through=run.feedback_through,
        estimator=run.container,
        parameters=run.parameters,
        libraries={"python": python_version()} | {name: version(name) for name in LIBRARIES},
    )
