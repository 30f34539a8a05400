"""Before the containers of custom metrics: write down what both models answer to the rows that neither has seen."""

from __future__ import annotations

import os

from evermodel.contract import EvaluateRun
from evermodel_runtime.artifacts.job import Surroundings, run_job
from evermodel_runtime.evaluate.cases import ask, load_case
from evermodel_runtime.evaluate.custom_metrics import Places, give


def main() -> int:
    """Predict as the environment says; returns the exit code."""
    places = Places.of(os.environ)
    return run_job(EvaluateRun, "evaluate", lambda run, surroundings: predict(run, surroundings, places))


def predict(run: EvaluateRun, surroundings: Surroundings, places: Places) -> None:
    """Write truth and predictions; the rows are not used to decide by this."""
    files = give(ask(load_case(run, surroundings)), places.input)
    for one in files:
        surroundings.progress(
            f"wrote {one.file.rows:,} rows of truth and predictions to {places.input / one.file.name}"
        )
