"""Candidate and champion on the same rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import msgspec
import numpy as np

from evermodel.contract import Manifest, Measure, Metric, PairedScore, Scalar, ScoringRun, Task
from evermodel_runtime.artifacts.manifests import StoredModel
from evermodel_runtime.artifacts.scorer import SCORING_ERRORS
from evermodel_runtime.data.failure import data_error
from evermodel_runtime.data.labels import as_texts
from evermodel_runtime.data.rows import FeatureRows, Labels, Mask, decode_hashes, row_hashes
from evermodel_runtime.evaluate.answers import Answers, ClassAnswers, NumberAnswers
from evermodel_runtime.evaluate.slices import Columns, score_slices

DIGITS = 6
"""Significant digits of recorded metrics."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The same rows as each model takes them.

    Attributes
    ----------
    truth : array of str or float64
        Labels as ``label_text`` spells them; of a regression, numbers.
    candidate : FeatureRows
        The columns of the candidate.
    champion : FeatureRows or None
        The columns of the champion; None when there is no champion or it cannot be asked.
    columns : mapping of str to array
        What slices tell rows apart by.
    """

    truth: Labels
    candidate: FeatureRows
    champion: FeatureRows | None
    columns: Columns = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.truth)

    def only(self, chosen: Mask) -> HeldOut:
        """Return some of the rows."""
        champion = None if self.champion is None else self.champion[chosen]
        columns = {name: values[chosen] for name, values in self.columns.items()}
        return HeldOut(self.truth[chosen], self.candidate[chosen], champion, columns)

    def unseen(self, candidate: StoredModel, champion: StoredModel | None) -> HeldOut:
        """Return the rows that neither model was trained on."""
        seen = trained_on(candidate, self.candidate)
        if champion is not None and self.champion is not None:
            seen |= trained_on(champion, self.champion)
        return self.only(~seen)


def trained_on(model: StoredModel, rows: FeatureRows) -> Mask:
    """Return which rows the model has seen in training, by their hash."""
    return np.isin(row_hashes(rows), decode_hashes(model.training_rows))


@dataclass(frozen=True, slots=True)
class Comparison:
    """What both models answered to the same rows."""

    rows: HeldOut
    ours: Answers
    theirs: Answers | None
    candidate: Manifest

    @classmethod
    def of(cls, rows: HeldOut, candidate: StoredModel, champion: StoredModel | None) -> Self:
        """Ask both models."""
        ours = answers_of(candidate, rows.candidate, rows.truth, "candidate")
        theirs = None
        if champion is not None and rows.champion is not None:
            theirs = answers_of(champion, rows.champion, rows.truth, "champion")
        return cls(rows, ours, theirs, candidate.manifest)

    def score(self, run: ScoringRun, *, use: int) -> PairedScore | None:
        """Score both models; ``use`` is how often these rows have decided, this time included.

        None where the objective has no value on these rows, as recall of a class of which there is none.
        """
        measure, ours, theirs = run.objective, self.ours, self.theirs
        value = ours.value(measure)
        if value is None:
            return None
        score = PairedScore(
            rows=len(ours),
            metric=str(measure),
            candidate=value,
            dummy=ours.without_features(measure, _dummy_answer(self.candidate, measure)),
            use=use,
            metrics={name: float(f"{value:.{DIGITS}g}") for name, value in ours.metrics(run.metrics).items()},
            slices=score_slices(run.slices, self.rows.columns, measure, ours, theirs),
        )
        if theirs is None:
            return score
        right, champion_right = ours.right(), theirs.right()
        exact = measure.metric is Metric.ACCURACY
        return msgspec.structs.replace(
            score,
            champion=theirs.value(measure),
            candidate_only=int((right & ~champion_right).sum()),
            champion_only=int((champion_right & ~right).sum()),
            p=None if exact else ours.swap_p(theirs, measure),
            champion_p=None if exact else theirs.swap_p(ours, measure),
        )


def _dummy_answer(manifest: Manifest, measure: Measure) -> Scalar:
    """Return what a model answers that looks at no feature: nothing else has smaller errors of that kind."""
    if manifest.task is Task.CLASSIFICATION:
        answer = manifest.majority
    else:
        answer = manifest.median if measure.metric in {Metric.MAE, Metric.MAPE} else manifest.mean
    return answer if answer is not None else ""


def answers_of(model: StoredModel, rows: FeatureRows, truth: Labels, which: str) -> Answers:
    """Ask a model about all rows."""
    try:
        labels, probabilities = model.scorer.predict_with_probabilities(rows.inputs())
    except SCORING_ERRORS as error:
        raise data_error(
            f"The {which} ({model.manifest.estimator}, version {model.manifest.version}) does not answer every "
            f"held-out row, perhaps for a value that it never learnt: {error}"
        ) from error
    if model.manifest.task is Task.CLASSIFICATION:
        return ClassAnswers(
            truth.astype(np.object_), as_texts(labels.tolist()), as_texts(model.manifest.classes), probabilities
        )
    numbers = labels.astype(np.float64)
    if not np.isfinite(numbers).all():
        raise data_error(
            f"The {which} ({model.manifest.estimator}, version {model.manifest.version}) answers no finite number to "
            f"{int((~np.isfinite(numbers)).sum()):,} of {len(numbers):,} held-out rows. Choose another estimator or "
            "other parameters: a larger radius for RadiusNeighborsRegressor, scaled features for linear ones."
        )
    return NumberAnswers(truth.astype(np.float64), numbers)
