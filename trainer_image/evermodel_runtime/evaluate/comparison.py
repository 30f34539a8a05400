"""Candidate and champion on the same rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evermodel.contract import PairedScore, label_text
from evermodel_runtime.artifacts.manifests import StoredModel
from evermodel_runtime.artifacts.scorer import SCORING_ERRORS
from evermodel_runtime.data.failure import data_error
from evermodel_runtime.data.labels import as_texts
from evermodel_runtime.data.rows import FeatureRows, Mask, decode_hashes, row_hashes
from evermodel_runtime.evaluate.metrics import Texts, macro_metrics


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The same rows as each model takes them.

    Attributes
    ----------
    truth : array of str
        Labels as ``label_text`` spells them.
    candidate : FeatureRows
        The columns of the candidate.
    champion : FeatureRows or None
        The columns of the champion; None when there is no champion or it cannot be asked.
    """

    truth: Texts
    candidate: FeatureRows
    champion: FeatureRows | None

    def __len__(self) -> int:
        return len(self.truth)

    def only(self, chosen: Mask) -> HeldOut:
        """Return some of the rows."""
        champion = None if self.champion is None else self.champion[chosen]
        return HeldOut(self.truth[chosen], self.candidate[chosen], champion)

    def unseen(self, candidate: StoredModel, champion: StoredModel | None) -> HeldOut:
        """Return the rows that neither model was trained on."""
        seen = trained_on(candidate, self.candidate)
        if champion is not None and self.champion is not None:
            seen |= trained_on(champion, self.champion)
        return self.only(~seen)


def trained_on(model: StoredModel, rows: FeatureRows) -> Mask:
    """Return which rows the model has seen in training, by their hash."""
    return np.isin(row_hashes(rows), decode_hashes(model.training_rows))


def score_pair(rows: HeldOut, candidate: StoredModel, champion: StoredModel | None, *, use: int) -> PairedScore:
    """Score both models; ``use`` is how often these rows have decided, this time included."""
    answers = _answers(candidate, rows.candidate, "candidate")
    right = answers == rows.truth
    dummy = rows.truth == label_text(candidate.manifest.majority)
    score = PairedScore(
        rows=len(rows),
        candidate=float(np.mean(right)),
        dummy=float(np.mean(dummy)),
        use=use,
        metrics=macro_metrics(rows.truth, answers),
    )
    if champion is None or rows.champion is None:
        return score
    champion_right = _answers(champion, rows.champion, "champion") == rows.truth
    return PairedScore(
        rows=score.rows,
        candidate=score.candidate,
        dummy=score.dummy,
        champion=float(np.mean(champion_right)),
        candidate_only=int((right & ~champion_right).sum()),
        champion_only=int((champion_right & ~right).sum()),
        use=use,
        metrics=score.metrics,
    )


def _answers(model: StoredModel, rows: FeatureRows, which: str) -> Texts:
    try:
        return as_texts(model.scorer.predict(rows.inputs()).tolist())
    except SCORING_ERRORS as error:
        raise data_error(
            f"The {which} ({model.manifest.estimator}, version {model.manifest.version}) does not answer every "
            f"held-out row, perhaps for a value that it never learnt: {error}"
        ) from error
