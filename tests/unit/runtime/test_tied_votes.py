"""Where as many trees say one class as say the other, ONNX Runtime answers as scikit-learn does."""

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.pipeline import Pipeline

from evermodel.contract import Column, ColumnKind, Manifest
from evermodel_runtime.artifacts.scorer import OnnxScorer
from evermodel_runtime.train.export import export

COLUMNS = tuple(Column(name=name, kind=ColumnKind.NUMBER) for name in "abc")
MANIFEST = Manifest(
    model="m",
    version=1,
    columns=COLUMNS,
    onnx_inputs="matrix",
    training_rows="",
    data_sha256="",
    feedback_through=None,
    estimator="",
    parameters={},
    libraries={},
)


def rows(count: int, seed: int) -> Any:
    """Return rows of float32, as every model is asked."""
    return np.random.default_rng(seed).normal(size=(count, 3)).astype(np.float32)


@pytest.mark.parametrize("trees", [2, 20, 22, 50, 294], ids=lambda trees: f"{trees} trees")
@pytest.mark.parametrize("forest", [ExtraTreesClassifier, RandomForestClassifier])
@pytest.mark.parametrize("classes", [[0, 1], ["no", "yes"]], ids=["numbers", "texts"])
def test_half_of_the_votes_are_no_majority(forest: type[Any], trees: int, classes: list[Any]) -> None:
    learnt, asked = rows(120, 1), rows(20_000 if trees > 50 else 2_000, 2)
    chance = np.random.default_rng(3).normal(size=120)
    labels = np.array(classes, dtype=object if classes[0] == "no" else np.int64)[
        (learnt[:, 0] + chance > 0).astype(int)
    ]
    pipeline = Pipeline([("estimator", forest(n_estimators=trees, random_state=0))]).fit(learnt, labels)
    voted = pipeline.predict_proba(asked)
    tied = voted[:, 0] == voted[:, 1]
    assert tied.any()

    answers, probabilities = OnnxScorer.load(export(pipeline, COLUMNS, "m"), MANIFEST).predict_with_probabilities(asked)

    assert (answers == pipeline.predict(asked)).all()
    assert set(answers[tied].tolist()) == {classes[0]}
    assert probabilities is not None
    assert np.abs(probabilities - voted).max() < 1e-5
