"""Makes manifests/samples/models again: `python -m tests.samples.networks` prints the digests that the samples declare.

A network that has learnt the first 1,000 digits, as a skops archive and as ONNX; the samples' own rows come after them.
"""

from __future__ import annotations

import csv
import hashlib
import io
from pathlib import Path
from typing import Any, Final

import numpy as np
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler

from evermodel.api.generated import CHECKOUT
from evermodel.contract import Column, ColumnKind
from evermodel_runtime.artifacts.skops_archive import dump_pipeline
from evermodel_runtime.data.bundled import bundled_csv
from evermodel_runtime.train.export import export

MODELS: Final = CHECKOUT / "manifests" / "samples" / "models"
LEARNT: Final = ":1000"


def files() -> dict[str, bytes]:
    """Return the content of each file by its name."""
    network = _network()
    columns = tuple(Column(name=f"pixel_{place}", kind=ColumnKind.NUMBER) for place in range(network.n_features_in_))
    return {"digits.skops": dump_pipeline(network), "digits.onnx": export(network, columns, "digits")}


def _network() -> Any:
    table = list(csv.reader(io.StringIO(bundled_csv("digits", LEARNT).decode())))[1:]
    rows = np.array([row[:-1] for row in table], dtype=np.float32)  # half the size
    labels = np.array([row[-1] for row in table], dtype=np.int64)
    layers = MLPClassifier(hidden_layer_sizes=(16,), learning_rate_init=0.01, max_iter=200, tol=0.001, random_state=0)
    return Pipeline([("scale", MinMaxScaler()), ("network", layers)]).fit(rows, labels)


def write(folder: Path) -> None:
    """Write the files and print their digests, as sha256sum does."""
    for name, content in files().items():
        (folder / name).write_bytes(content)
        print(f"{hashlib.sha256(content).hexdigest()}  {name}")  # noqa: T201 - to be copied from


if __name__ == "__main__":
    write(MODELS)
