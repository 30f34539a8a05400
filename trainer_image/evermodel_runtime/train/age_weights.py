"""Which estimators weigh rows: those whose fit takes ``sample_weight``, members included."""

from __future__ import annotations

from typing import Any

from sklearn.ensemble import StackingClassifier, StackingRegressor, VotingClassifier, VotingRegressor
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from evermodel_runtime.data.failure import spec_error
from evermodel_runtime.data.merging import Weights
from evermodel_runtime.train.earlier_model import EarlierModel

SAMPLE_WEIGHT = "sample_weight"
PLACE = "spec.retraining.data.halfLife"
_IN_WORDS = {Pipeline: "a member with preprocessing of its own", EarlierModel: "a member that was trained before"}
WITH_MEMBERS = (StackingClassifier, StackingRegressor, VotingClassifier, VotingRegressor)


def weighing(weights: Weights | None) -> dict[str, Weights]:
    """Return the argument by which an estimator's fit takes weights; none where all rows count alike."""
    return {} if weights is None else {SAMPLE_WEIGHT: weights}


def require_weights(estimator: Any) -> None:
    """Refuse an estimator that counts all rows alike.

    Raises
    ------
    JobError
        SpecInvalid with its name and what to do.
    """
    alike = _counting_alike(estimator)
    if alike is None:
        return
    what = next((words for kind, words in _IN_WORDS.items() if isinstance(alike, kind)), type(alike).__name__)
    raise spec_error(
        f"{PLACE} weighs rows by their age, and {what} counts all rows alike: its fit takes no {SAMPLE_WEIGHT}. Leave "
        "halfLife out and bound the records by maxAge, or choose an estimator that takes it."
    )


def _counting_alike(estimator: Any) -> Any | None:
    """Return the first part that takes no weights."""
    if not isinstance(estimator, WITH_MEMBERS):
        return None if has_fit_parameter(estimator, SAMPLE_WEIGHT) else estimator
    members = [member for _, member in estimator.estimators]
    final = getattr(estimator, "final_estimator", None)
    parts = [_counting_alike(member) for member in [*members, *([] if final is None else [final])]]
    return next((part for part in parts if part is not None), None)
