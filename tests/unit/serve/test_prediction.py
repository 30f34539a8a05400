"""Answers as places among the classes: found alike for few rows and for many, whatever a model answers with."""

from typing import Any

import numpy as np
import pytest

from evermodel.contract import Scalar
from evermodel_runtime.serve.prediction import (
    MANY_ROWS,
    Classes,
    ClassPrediction,
    NumberPrediction,
    UnknownClassError,
)
from evermodel_runtime.serve.protocol import Datatype

CASES = [
    pytest.param([0, 1, 2], np.array([2, 0, 1]), [2, 0, 1], Datatype.INT64, id="integers"),
    pytest.param([7, -3, 5], np.array([5, -3, 7]), [5, -3, 7], Datatype.INT64, id="integers in no order"),
    pytest.param([0, 1], np.array(["1", "0"], object), [1, 0], Datatype.INT64, id="integers answered as text"),
    pytest.param([0, 1], np.array([1.0, 0.0]), [1, 0], Datatype.INT64, id="integers answered as floats"),
    pytest.param([False, True], np.array([1, 0]), [True, False], Datatype.BOOL, id="1 for true"),
    pytest.param([0.5, 1], np.array([1.0, 0.5]), [1, 0.5], Datatype.FP64, id="floats"),
    pytest.param(["no", "yes"], np.array(["yes", "no"], object), ["yes", "no"], Datatype.BYTES, id="texts"),
    pytest.param(["1", "2"], np.array([2, 1]), ["2", "1"], Datatype.BYTES, id="texts answered as integers"),
]


@pytest.mark.parametrize("times", [1, MANY_ROWS])
@pytest.mark.parametrize(("labels", "answers", "expected", "datatype"), CASES)
def test_answers_are_the_labels_of_training(
    labels: list[Scalar], answers: Any, expected: list[Scalar], datatype: Datatype, times: int
) -> None:
    classes = Classes(labels)
    answers = np.tile(answers, times)

    prediction = ClassPrediction(classes, classes.places(answers), None)

    found = prediction.labels
    assert [(type(label), label) for label in found] == [(type(label), label) for label in expected] * times
    assert classes.datatype is datatype
    elements = prediction.elements
    assert list(elements if isinstance(elements, list) else elements.tolist()) == expected * times
    assert prediction.rows == len(answers)


@pytest.mark.parametrize("times", [1, MANY_ROWS])
@pytest.mark.parametrize(
    ("labels", "answer"),
    [
        pytest.param([0, 1], 2, id="a larger integer"),
        pytest.param([0, 2], 1, id="an integer between"),
        pytest.param([0, 1], -1, id="a smaller integer"),
        pytest.param(["no", "yes"], "perhaps", id="a text"),
    ],
)
def test_what_is_none_of_the_classes_is_an_error_that_names_it(labels: list[Scalar], answer: Any, times: int) -> None:
    kind = np.int64 if isinstance(answer, int) else object
    answers = np.array([labels[0], answer] * times, dtype=kind)

    with pytest.raises(UnknownClassError, match=rf"answered {answer!r}, which is none"):
        Classes(labels).places(answers)


def test_the_different_answers_are_those_that_were_given() -> None:
    classes = Classes(["a", "b", "c", "d"])
    each, kinds = ClassPrediction(classes, np.array([3, 1, 1, 3]), None).distinct()
    numbers, places = NumberPrediction(np.array([2.5, 1.0, 2.5])).distinct()

    assert (each, kinds.tolist()) == (["b", "d"], [1, 0, 0, 1])
    assert (numbers, places.tolist()) == ([2.5, 1.0], [0, 1, 0])
