"""The network that some samples start from, in the files that they want uploaded first.

It has learnt the first 1,000 digits, and is there as a skops archive and as ONNX. Its weights are text, digits.json, of
two decimals, since no two kinds of processors fit the same ones; nothing is learnt here, so that the files are the same
bytes everywhere. The samples' own rows come after those that it has learnt.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import LabelBinarizer, MinMaxScaler

from evermodel.contract import Column, ColumnKind
from evermodel_runtime.artifacts.skops_archive import dump_pipeline
from evermodel_runtime.train.export import export

WEIGHTS: Final = Path(__file__).with_name("digits.json")
DARKEST: Final = 16
"""Of a pixel; 0 is the brightest."""


def files() -> dict[str, bytes]:
    """Return the content of each file by its name."""
    network = _network(json.loads(WEIGHTS.read_text("utf-8")))
    columns = tuple(Column(name=f"pixel_{place}", kind=ColumnKind.NUMBER) for place in range(network.n_features_in_))
    return {"digits.skops": dump_pipeline(network), "digits.onnx": export(network, columns, "digits")}


def _network(learnt: dict[str, Any]) -> Any:
    weights = [np.array(learnt[layer]["weights"], np.float64) for layer in ("hidden", "output")]
    biases = [np.array(learnt[layer]["biases"], np.float64) for layer in ("hidden", "output")]
    pixels = len(weights[0])
    scale = MinMaxScaler().fit(np.array([[0] * pixels, [DARKEST] * pixels], np.float64))
    return Pipeline([("scale", scale), ("network", _perceptron(weights, biases))])


def _perceptron(weights: list[NDArray[np.float64]], biases: list[NDArray[np.float64]]) -> MLPClassifier:
    """Return the perceptron that scikit-learn would have after a fit that ended in these weights."""
    classes = np.arange(len(biases[-1]))
    perceptron = MLPClassifier(hidden_layer_sizes=(len(biases[0]),), learning_rate_init=0.01, random_state=0)
    fitted = {
        "coefs_": weights,
        "intercepts_": biases,
        "classes_": classes,
        "n_features_in_": len(weights[0]),
        "n_layers_": len(weights) + 1,
        "n_outputs_": len(classes),
        "out_activation_": "softmax",
        "_label_binarizer": LabelBinarizer().fit(classes),
        # What partial_fit goes on counting from: its optimiser begins anew, as after a change of pace.
        "n_iter_": 0,
        "t_": 0,
        "loss_curve_": [],
        "best_loss_": np.inf,
        "_no_improvement_count": 0,
        "validation_scores_": None,
        "best_validation_score_": None,
    }
    for name, value in fitted.items():
        setattr(perceptron, name, value)
    return perceptron
