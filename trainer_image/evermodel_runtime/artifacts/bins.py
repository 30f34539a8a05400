"""What a version's drift is measured against, made once beside the model."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from evermodel.contract import Bins, Reference
from evermodel_runtime.artifacts.manifests import BlobStore
from evermodel_runtime.artifacts.scorer import SCORING_ERRORS, Scorer, first_line
from evermodel_runtime.data.bins import bins_of_answers
from evermodel_runtime.data.rows import FeatureRows, spread_over

MOST_ROWS = 10_000
"""Rows that the model is asked about: chance moves shares of so many by less than a point."""


def put_reference(
    blobs: BlobStore, features: tuple[Bins, ...], scorer: Scorer, asked: FeatureRows, say: Callable[[str], None]
) -> str | None:
    """Store the bins of a version's features and of its answers; returns their digest for the manifest.

    Parameters
    ----------
    asked : FeatureRows
        Rows that the model has not learnt from, where there are any: of those that it has, it is surer than of others.

    Returns
    -------
    str or None
        None where the model does not answer these rows: then nobody can tell its drift.
    """
    rows = spread_over([asked], MOST_ROWS)
    try:
        answers = scorer.predict(rows.inputs())
    except SCORING_ERRORS as error:
        say(f"no reference bins, so drift will not be seen: held-out rows are not answered: {first_line(error)}")
        return None
    reference = Reference(features=features, prediction=bins_of_answers(answers, scorer.manifest.classes))
    return blobs.put_blob(msgspec.json.encode(reference, order="deterministic"))
