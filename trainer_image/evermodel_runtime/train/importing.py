"""Take over a model that was made elsewhere: look at what it takes and answers, and store it as a version."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from importlib.metadata import version
from platform import python_version
from typing import Any, Literal

import msgspec
import numpy as np

from evermodel.contract import (
    WARNING,
    Column,
    ColumnKind,
    Manifest,
    ModelFormat,
    Scalar,
    Task,
    TrainReport,
    TrainRun,
    label_text,
)
from evermodel_runtime.artifacts.bins import put_reference
from evermodel_runtime.artifacts.job import Surroundings
from evermodel_runtime.artifacts.manifests import encode_manifest
from evermodel_runtime.artifacts.scorer import LOADING_ERRORS, SCORING_ERRORS, Scorer
from evermodel_runtime.data.bins import bins_of_rows
from evermodel_runtime.data.dataset import Dataset, read_dataset
from evermodel_runtime.data.failure import listed, spec_error
from evermodel_runtime.data.positive_class import require_positive_class
from evermodel_runtime.data.rows import FeatureRows, Hashes, Labels, encode_hashes
from evermodel_runtime.data.source import read_data
from evermodel_runtime.train.fetching import fetch_model
from evermodel_runtime.train.packing import Packed, pack
from evermodel_runtime.train.windows import Window

PLACE = "spec.model"
ARCHIVE = b"PK"
"""How a skops archive, which is a zip file, begins."""
ASKED = 1000
"""Rows of the source that the model has to answer before it is taken over."""
UNKNOWN = (
    f"{WARNING}the model was imported, and nobody knows which rows of the source it has learnt from: its score on "
    "held-out rows may be too good. Labels of production tell."
)
SHOWN = 5
LABELS = {"tensor(int64)", "tensor(string)"}
NUMBERS = {"tensor(float)", "tensor(double)"}
SLACK = 1e-3
"""By how much probabilities of 32 bits may miss their sum."""
LEAST_AGREEING = 0.99
"""Share of the rows in which the likeliest class must be the answer; ties are few."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A model, and the rows of the source in the order of its columns."""

    packed: Packed
    manifest: Manifest
    rows: FeatureRows


def import_model(run: TrainRun, surroundings: Surroundings) -> TrainReport:
    """Publish the declared model as a version.

    Raises
    ------
    JobError
        When it cannot be loaded, takes other columns than the source has, or does not answer its rows.
    """
    model, say, hub = run.imported, surroundings.progress, surroundings.hub
    if model is None:
        raise ValueError("the run imports no model")
    say(f"version {run.version} of {run.namespace}/{run.model}: {model.uri} is taken over")
    content = fetch_model(model.uri, model.sha256, surroundings, f"{PLACE}.uri")
    file, digest = read_data(run.data, datasets=hub, mount=surroundings.mount)
    dataset = read_dataset(file, run.data, task=run.task)
    require_positive_class(run.objective, run.data, dataset)
    say(f"read {len(dataset.hashes):,} rows of {len(dataset.features.columns)} features, sha256 {digest}")
    blank = _blank(run, dataset, digest)
    taken = (_archive if content.startswith(ARCHIVE) else _onnx)(content, blank, dataset, say)
    scorer = taken.packed.scorer(taken.manifest)
    manifest = _with_classes(taken.manifest, scorer, taken.rows[:ASKED], dataset.target.labels)
    nothing: Hashes = np.array([], dtype=np.uint64)
    bins = put_reference(hub, bins_of_rows(taken.rows), taken.packed.scorer(manifest), taken.rows, say)
    manifest = msgspec.structs.replace(manifest, training_rows=hub.put_blob(encode_hashes(nothing)), bins=bins)
    published = hub.put_blob(encode_manifest(taken.packed.named_in(manifest, hub.put_blob(taken.packed.content))))
    say(f"published as manifest {published}")
    return TrainReport(
        manifest=published,
        data_sha256=digest,
        rows=0,
        feedback_rows=0,
        window=Window.ALL.value,
        validation=None,
        classes=len(manifest.classes),
        seconds=say.seconds,
        format=taken.packed.format,
        format_reason=taken.packed.reason,
        notes=(UNKNOWN,),
    )


def _blank(run: TrainRun, dataset: Dataset, data_sha256: str) -> Manifest:
    """Write down what is known before the model is looked at."""
    labels = dataset.target.labels
    number = run.task is Task.REGRESSION
    return Manifest(
        model=run.model,
        version=run.version,
        target=run.data.target,
        task=run.task,
        columns=dataset.features.columns,
        onnx_inputs="matrix" if dataset.features.all_numbers else "columns",
        training_rows="",
        majority=None if number else Counter(labels.tolist()).most_common(1)[0][0],
        mean=float(labels.astype(np.float64).mean()) if number else None,
        median=float(np.median(labels.astype(np.float64))) if number else None,
        data_sha256=data_sha256,
        feedback_through=None,
        estimator="ONNX",
        parameters={},
        libraries={"python": python_version(), "onnxruntime": version("onnxruntime")},
    )


def _onnx(content: bytes, manifest: Manifest, dataset: Dataset, say: Any) -> Taken:
    import onnxruntime  # noqa: PLC0415 - an archive needs none of it

    from evermodel_runtime.artifacts.onnx_file import check_graph  # noqa: PLC0415 - as above

    try:
        check_graph(content)
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    except (*LOADING_ERRORS, *SCORING_ERRORS) as error:
        raise spec_error(
            f"{PLACE}.uri: the file is no zip file, as a skops archive is, and as ONNX it is not taken: {error}"
        ) from error
    inputs, outputs = session.get_inputs(), session.get_outputs()
    told = ", ".join(f"{one.name} {one.type} {one.shape}" for one in (*inputs, *outputs))
    say(f"ONNX with {told}")
    for one in inputs:
        if one.type not in {"tensor(float)", "tensor(string)"}:
            raise spec_error(f"{PLACE}: its input {one.name} is a {one.type}; export it with float or string inputs.")
    if any(not one.type.startswith("tensor") for one in outputs):
        raise spec_error(f"{PLACE}: its output is no tensor ({told}); export it with the option zipmap=False.")
    wanted = NUMBERS if manifest.task is Task.REGRESSION else LABELS
    if outputs[0].type not in wanted:
        raise spec_error(
            f"{PLACE}: its first output {outputs[0].name} is a {outputs[0].type}; a {manifest.task} answers "
            f"{' or '.join(sorted(wanted))} first, then probabilities where it has them."
        )
    layout, rows = _layout(inputs, dataset.features)
    manifest = msgspec.structs.replace(manifest, columns=rows.columns, onnx_inputs=layout)
    return Taken(Packed(ModelFormat.ONNX, content), manifest, rows)


def _layout(inputs: list[Any], rows: FeatureRows) -> tuple[Literal["matrix", "columns"], FeatureRows]:
    names = [column.name for column in rows.columns]
    if len(inputs) == 1 and (len(rows.columns) > 1 or inputs[0].name not in names):
        width = inputs[0].shape[-1]
        if not rows.all_numbers:
            text = next(column.name for column in rows.columns if column.kind is ColumnKind.TEXT)
            raise spec_error(f"{PLACE}: it takes a matrix of numbers, and column {text!r} of the source is text.")
        if isinstance(width, int) and width != len(names):
            raise spec_error(f"{PLACE}: it takes {width} columns, and the source has {len(names)}: {listed(names)}.")
        return "matrix", rows
    return "columns", _in_order(rows, [one.name for one in inputs])


def _in_order(rows: FeatureRows, names: list[str]) -> FeatureRows:
    """Return the columns that a model names, in its order."""
    there: dict[str, tuple[Column, Any]] = {
        column.name: (column, values) for column, values in zip(rows.columns, rows.values, strict=True)
    }
    missing = [name for name in names if name not in there]
    if missing:
        raise spec_error(f"{PLACE}: it takes the column {missing[0]!r}, and the source has {listed(list(there))}.")
    return FeatureRows.of([there[name] for name in names])


def _archive(content: bytes, manifest: Manifest, dataset: Dataset, say: Any) -> Taken:
    from sklearn.base import is_classifier, is_regressor  # noqa: PLC0415 - an ONNX file needs none of it
    from sklearn.pipeline import Pipeline  # noqa: PLC0415 - as above

    from evermodel_runtime.artifacts.foreign_archive import load_foreign  # noqa: PLC0415 - as above
    from evermodel_runtime.artifacts.skops_archive import ArchiveError  # noqa: PLC0415 - as above
    from evermodel_runtime.artifacts.skops_scorer import ROW_ERRORS  # noqa: PLC0415 - as above
    from evermodel_runtime.train.pipeline import table  # noqa: PLC0415 - as above

    try:
        pipeline = load_foreign(content)
    except ArchiveError as error:
        raise spec_error(f"{PLACE}.uri: the archive may not be loaded: {error}") from error
    fits = is_regressor(pipeline) if manifest.task is Task.REGRESSION else is_classifier(pipeline)
    if not fits or not hasattr(pipeline, "n_features_in_"):
        raise spec_error(
            f"{PLACE}: it holds a {type(pipeline).__name__}, which is no fitted model of a {manifest.task}."
        )
    names = getattr(pipeline, "feature_names_in_", None)
    pipeline = pipeline if isinstance(pipeline, Pipeline) else Pipeline([("estimator", pipeline)])
    rows = dataset.features if names is None else _in_order(dataset.features, [str(name) for name in names])
    if len(rows.columns) != pipeline.n_features_in_:
        raise spec_error(
            f"{PLACE}: it takes {pipeline.n_features_in_} columns, and the source has {len(rows.columns)}: "
            f"{listed([column.name for column in rows.columns])}."
        )
    try:
        pipeline.predict(table(rows[:ASKED]))
    except (*ROW_ERRORS, AttributeError) as error:
        raise spec_error(f"{PLACE}: it does not answer the rows of the source: {error}") from error
    manifest = msgspec.structs.replace(
        manifest,
        columns=rows.columns,
        onnx_inputs="matrix" if rows.all_numbers else "columns",
        classes=tuple(pipeline.classes_.tolist()) if is_classifier(pipeline) else (),
        estimator=type(pipeline.steps[-1][1]).__name__,
        libraries=manifest.libraries | {name: version(name) for name in ("scikit-learn", "skops")},
    )
    return Taken(pack(pipeline, manifest, rows, say), manifest, rows)


def _with_classes(manifest: Manifest, scorer: Scorer, rows: FeatureRows, labels: Labels) -> Manifest:
    """Let the model answer, and return the manifest with its classes."""
    try:
        answers, probabilities = scorer.predict_with_probabilities(rows.inputs())
    except SCORING_ERRORS as error:
        raise spec_error(f"{PLACE}: it does not answer the rows of the source: {error}") from error
    if manifest.task is Task.REGRESSION:
        if not np.isfinite(answers.astype(np.float64)).all():
            raise spec_error(f"{PLACE}: it does not answer a finite number to every row of the source.")
        return manifest
    classes = manifest.classes or _classes_of(answers, labels, probabilities)
    if probabilities is None:
        return msgspec.structs.replace(manifest, classes=classes)
    if probabilities.min() < -SLACK or np.abs(probabilities.sum(axis=1) - 1).max() > SLACK:
        raise spec_error(
            f"{PLACE}: its second output holds no probabilities: the first row is "
            f"{listed([f'{value:g}' for value in probabilities[0].tolist()])}. Export it with the label alone."
        )
    likeliest = [classes[place] for place in probabilities.argmax(axis=1)]
    agreeing = float(np.mean([one == answer for one, answer in zip(likeliest, answers.tolist(), strict=True)]))
    if agreeing < LEAST_AGREEING:
        raise spec_error(
            f"{PLACE}: its likeliest class is its answer in {agreeing:.1%} of {len(answers):,} rows only: the "
            f"probabilities are not those of {listed([label_text(label) for label in classes])}, in this order."
        )
    return msgspec.structs.replace(manifest, classes=classes)


def _classes_of(answers: Labels, labels: Labels, probabilities: Any) -> tuple[Scalar, ...]:
    """Return the classes in order: those of the source, and what else the model answered."""
    if answers.dtype != labels.dtype:
        raise spec_error(
            f"{PLACE}: it answers {label_text(answers.tolist()[0])!r} where the source has "
            f"{label_text(labels.tolist()[0])!r}: text and whole numbers are different classes."
        )
    classes = sorted({*labels.tolist(), *answers.tolist()})
    if probabilities is not None and probabilities.shape[1] != len(classes):
        raise spec_error(
            f"{PLACE}: it knows {probabilities.shape[1]} classes, and source and answers have {len(classes)}: "
            f"{listed([label_text(label) for label in classes][:SHOWN])}."
        )
    return tuple(classes)
