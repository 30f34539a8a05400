"""Small models as training makes them: ONNX bytes and the manifest that goes with them."""

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec
import numpy as np
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression, Perceptron
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from evermodel.contract import Column, ColumnKind, Manifest, Scalar, ServeConfig
from evermodel_runtime.artifacts.skops_archive import dump_pipeline
from evermodel_runtime.serve.model import ServedModel, load_model


@dataclass(frozen=True)
class Made:
    """One artifact, ONNX unless its manifest says otherwise, and the estimator that it came from."""

    onnx: bytes
    manifest: Manifest
    estimator: Any

    @property
    def manifest_bytes(self) -> bytes:
        return msgspec.json.encode(self.manifest)

    @property
    def digest(self) -> str:
        return digest(self.manifest_bytes)

    def load(self) -> ServedModel:
        return load_model(self.onnx, self.manifest)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def serve_config(made: Made, **changes: Any) -> ServeConfig:
    values: dict[str, Any] = {"namespace": "ml", "model": "iris", "version": 3, "hub_url": "http://hub"}
    return ServeConfig(**{**values, "manifest": made.digest, **changes})


@cache
def numeric(classes: tuple[Scalar, ...] = (0, 1, 2), *, probabilities: bool = True) -> Made:
    """Three numeric columns a, b, c; the class is the largest one."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(300, 3)).astype(np.float32)
    target = np.array(classes)[features[:, : len(classes)].argmax(axis=1)]
    estimator = (LogisticRegression() if probabilities else Perceptron()).fit(features, target)
    options = {"zipmap": False} if probabilities else {"raw_scores": True, "zipmap": False}
    model = to_onnx(estimator, features[:1], options={id(estimator): options}, target_opset=17)
    if not probabilities:
        del model.graph.output[1]
    return made_of(
        model.SerializeToString(), [(name, ColumnKind.NUMBER) for name in "abc"], classes, "matrix", estimator
    )


@cache
def mixed(unknown: str = "ignore") -> Made:
    """A text column between two numbers; classes are words; ``unknown`` says what becomes of a city not seen."""
    rng = np.random.default_rng(0)
    rows = np.empty((300, 3), dtype=object)
    rows[:, 0], rows[:, 1], rows[:, 2] = rng.uniform(0, 9, 300), rng.choice(["Oslo", "Rome"], 300), rng.normal(size=300)
    target = np.where((rows[:, 1] == "Rome") ^ (rows[:, 0].astype(float) > 5), "yes", "no")
    transform = ColumnTransformer(
        [("text", OneHotEncoder(handle_unknown=unknown), [1]), ("number", StandardScaler(), [0, 2])]
    )
    estimator = make_pipeline(transform, LogisticRegression()).fit(rows, target)
    types = [
        ("age", FloatTensorType([None, 1])),
        ("city", StringTensorType([None, 1])),
        ("size", FloatTensorType([None, 1])),
    ]
    model = to_onnx(estimator, initial_types=types, options={"zipmap": False}, target_opset=17)
    columns = [("age", ColumnKind.NUMBER), ("city", ColumnKind.TEXT), ("size", ColumnKind.NUMBER)]
    return made_of(model.SerializeToString(), columns, ("no", "yes"), "columns", estimator)


def by_skops(made: Made) -> Made:
    """The same estimator, stored by skops."""
    content = dump_pipeline(made.estimator)
    manifest = msgspec.structs.replace(made.manifest, onnx=None, skops=digest(content))
    return Made(content, manifest, made.estimator)


def made_of(
    onnx: bytes, columns: list[tuple[str, ColumnKind]], classes: tuple[Scalar, ...], inputs: Any, estimator: Any
) -> Made:
    manifest = Manifest(
        model="iris",
        version=3,
        columns=tuple(Column(name=name, kind=kind) for name, kind in columns),
        classes=classes,
        onnx=digest(onnx),
        onnx_inputs=inputs,
        training_rows="0" * 64,
        majority=classes[0],
        data_sha256="0" * 64,
        feedback_through=None,
        estimator=type(estimator).__name__,
        parameters={},
        libraries={},
    )
    return Made(onnx, manifest, estimator)
