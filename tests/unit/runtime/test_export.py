"""What is exported answers as what was trained."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import skl2onnx
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from tests.unit.runtime.made_runs import ENCODE_COLOUR, as_csv, make_source, make_table, make_train_run

from evermodel.contract import FailureReason, Manifest, PreprocessingStep, TrainRun
from evermodel_runtime.artifacts.scorer import OnnxScorer
from evermodel_runtime.data.bundled import bundled_csv
from evermodel_runtime.data.csvfile import read_csv
from evermodel_runtime.data.dataset import Dataset, read_dataset
from evermodel_runtime.data.failure import JobError
from evermodel_runtime.train.estimators import CLASSIFIERS
from evermodel_runtime.train.export import NoOnnxError, check_parity, compare, export, layout_of
from evermodel_runtime.train.pipeline import make_recipe, table

pytestmark = [  # small models do not converge, and scikit-learn announces what it will drop
    pytest.mark.filterwarnings("ignore:.*converge"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
SMALL = {
    "AdaBoostClassifier": {"n_estimators": 5},
    "ExtraTreesClassifier": {"n_estimators": 5},
    "GradientBoostingClassifier": {"n_estimators": 5},
    "RandomForestClassifier": {"n_estimators": 20},
    "MLPClassifier": {"hidden_layer_sizes": [8], "max_iter": 30},
    "BaggingClassifier": {"n_estimators": 5},
    "HistGradientBoostingClassifier": {"max_iter": 10},
    "RadiusNeighborsClassifier": {"outlier_label": "most_frequent"},
}
COUNTS_ONLY = frozenset({"CategoricalNB", "ComplementNB", "MultinomialNB"})
"""Take no negative numbers."""
SCALE_HEIGHT = PreprocessingStep(transformer="StandardScaler", columns=("height", "width"))
MIXED = read_csv(as_csv(make_table(200)), "mixed")
WINE = read_csv(bundled_csv("wine"), "wine")


def wine(**changes: Any) -> tuple[TrainRun, Dataset]:
    run = make_train_run(data=make_source(target="target"), **changes)
    return run, read_dataset(WINE, run.data, run.preprocessing)


def mixed(**changes: Any) -> tuple[TrainRun, Dataset]:
    run = make_train_run(data=make_source(id_column="id"), **changes)
    return run, read_dataset(MIXED, run.data, run.preprocessing)


def fitted(run: TrainRun, dataset: Dataset) -> tuple[Any, OnnxScorer]:
    columns = dataset.features.columns
    pipeline = make_recipe(run, columns).fit(dataset.features, dataset.target.labels)
    return pipeline, OnnxScorer.load(export(pipeline, columns, "m"), manifest(dataset))


def manifest(dataset: Dataset) -> Manifest:
    return Manifest(
        model="m",
        version=1,
        columns=dataset.features.columns,
        classes=(),
        onnx_inputs=layout_of(dataset.features.columns),
        training_rows="",
        majority=0,
        data_sha256="",
        feedback_through=None,
        estimator="",
        parameters={},
        libraries={},
    )


def what_it_takes() -> Iterator[Any]:
    """Yield each estimator with the data that it can be fitted on."""
    for estimator in CLASSIFIERS:
        yield pytest.param(estimator, wine, False, id=f"{estimator}, three classes of numbers")
        if estimator in COUNTS_ONLY:
            continue
        yield pytest.param(estimator, wine, True, id=f"{estimator}, three classes of scaled numbers")
        if estimator != "QuadraticDiscriminantAnalysis":  # encoded text has no covariance of full rank
            yield pytest.param(estimator, mixed, False, id=f"{estimator}, two classes of text")
            yield pytest.param(estimator, mixed, True, id=f"{estimator}, two classes of text and scaled numbers")


@pytest.mark.parametrize(("estimator", "made", "scaled"), list(what_it_takes()))
def test_every_estimator_passes_the_parity_gate(estimator: str, made: Any, *, scaled: bool) -> None:
    steps: tuple[PreprocessingStep, ...] = () if made is wine else (ENCODE_COLOUR,)
    if scaled:
        scale = PreprocessingStep(transformer="StandardScaler", columns=WINE.header[:-1])
        steps = (scale,) if made is wine else (SCALE_HEIGHT, ENCODE_COLOUR)
    run, dataset = made(estimator=estimator, parameters=SMALL.get(estimator, {}), preprocessing=steps)

    figures = check_parity(*fitted(run, dataset), dataset.features)

    assert str(figures).startswith("labels equal on 100.00%")


def test_numbers_are_one_matrix_and_text_has_an_input_for_each_column() -> None:
    assert layout_of(wine()[1].features.columns) == "matrix"
    assert layout_of(mixed(preprocessing=(ENCODE_COLOUR,))[1].features.columns) == "columns"


def test_a_model_without_probabilities_says_so() -> None:
    _, scorer = fitted(*wine(estimator="SVC"))

    assert not scorer.has_probabilities
    assert scorer.predict_with_probabilities(wine()[1].features.inputs())[1] is None


def test_a_matrix_scores_as_its_columns_do() -> None:
    _, dataset = wine()
    _, scorer = fitted(*wine())
    by_matrix, by_column = scorer.predict(dataset.features.matrix()), scorer.predict(dataset.features.values)

    assert by_matrix.tolist() == by_column.tolist()


def test_a_category_that_was_never_seen_is_none_of_the_known() -> None:
    run, dataset = mixed(preprocessing=(ENCODE_COLOUR,))
    _, scorer = fitted(run, dataset)
    height, width, colour = dataset.features.values
    colour = np.full(len(colour), "ultraviolet", dtype=np.object_)

    labels = scorer.predict((height, width, colour))

    assert set(labels.tolist()) <= {"rose", "tulip"}


class Undecided(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A model for which the first two of three classes are equally probable; it answers one of them for every row."""

    classes_ = np.array(["rose", "tulip", "violet"], dtype=object)

    def __init__(self, answer: str) -> None:
        self._answer = answer

    def predict(self, rows: Any) -> NDArray[Any]:
        return np.full(len(rows), self._answer, dtype=object)

    def predict_proba(self, rows: Any) -> NDArray[Any]:
        return np.tile([0.4, 0.4, 0.2], (len(rows), 1))

    def predict_with_probabilities(self, rows: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        made = np.empty(len(rows))
        return self.predict(made), self.predict_proba(made).astype(np.float32)


@pytest.mark.parametrize(
    ("answer", "share"),
    [
        pytest.param("tulip", 1.0, id="the other of two equally probable classes is as right"),
        pytest.param("violet", 0.0, id="a less probable one is not"),
        pytest.param("weed", 0.0, id="nor one that the model does not know"),
    ],
)
def test_ties(answer: str, share: float) -> None:
    """An even number of trees leaves ties, of which the last bit of a sum decides: 32 bits round otherwise than 64."""
    _, dataset = wine()
    model: Any = Undecided("rose")
    stored: Any = Undecided(answer)
    assert compare(model, stored, dataset.features).equal == share


def test_a_model_that_answers_otherwise_is_refused() -> None:
    run, dataset = wine()
    _, scorer = fitted(run, dataset)
    other = make_recipe(run, dataset.features.columns).fit(dataset.features, shifted(dataset.target.labels))

    with pytest.raises(NoOnnxError, match=r"labels equal on \d+\.\d+% of 178 rows"):
        check_parity(other, scorer, dataset.features)


def shifted(labels: NDArray[Any]) -> NDArray[Any]:
    return np.roll(labels, 5)


def test_at_most_five_thousand_rows_are_compared() -> None:
    run, dataset = wine()
    pipeline, scorer = fitted(run, dataset)
    many = dataset.features[np.tile(np.arange(len(dataset.features)), 60)]

    assert check_parity(pipeline, scorer, many).rows == 5000


def test_categories_that_are_fractions_cannot_be_exported_and_it_is_told() -> None:
    encode = PreprocessingStep(transformer="OneHotEncoder", columns=("alcohol",))

    with pytest.raises(JobError, match=r"alcohol.*whole numbers") as failure:
        fitted(*wine(preprocessing=(encode,)))

    assert failure.value.reason is FailureReason.SPEC_INVALID


def test_what_scikit_learn_refuses_is_told_in_its_words() -> None:
    run, dataset = wine(estimator="KNeighborsClassifier", parameters={"n_neighbors": 500})
    pipeline = make_recipe(run, dataset.features.columns)

    with pytest.raises(JobError, match="n_neighbors") as failure:
        pipeline.fit(dataset.features, dataset.target.labels).predict(table(dataset.features))

    assert failure.value.reason is FailureReason.SPEC_INVALID


def test_the_bytes_do_not_depend_on_the_order_in_which_the_converter_names_its_operators(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, dataset = wine(estimator="LogisticRegression")
    pipeline = make_recipe(run, dataset.features.columns).fit(dataset.features, dataset.target.labels)
    convert = skl2onnx.convert_sklearn

    def other_way_round(*args: Any, **options: Any) -> Any:
        model = convert(*args, **options)
        assert len(model.opset_import) > 1
        model.opset_import.reverse()
        return model

    once = export(pipeline, dataset.features.columns, "m")
    monkeypatch.setattr(skl2onnx, "convert_sklearn", other_way_round)

    assert export(pipeline, dataset.features.columns, "m") == once
