"""What users may declare is what the runtime can make."""

from evermodel.api.modeldeployment import Estimator, Transformer
from evermodel_runtime.train.estimators import ESTIMATORS
from evermodel_runtime.train.transformers import TRANSFORMERS


def test_the_declared_estimators_are_those_of_the_runtime() -> None:
    assert {estimator.value for estimator in Estimator} == set(ESTIMATORS)


def test_the_declared_transformers_are_those_of_the_runtime() -> None:
    assert {transformer.value for transformer in Transformer} == set(TRANSFORMERS)
