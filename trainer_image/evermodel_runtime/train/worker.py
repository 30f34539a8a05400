"""A pod that makes trials beside the training Job, which leads the search and fits the best.

It goes the same way up to the search, and then makes what no other pod has begun until all trials have ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evermodel.contract import TrainRun
from evermodel_runtime.train import sum_in_one_thread

if TYPE_CHECKING:
    from evermodel_runtime.artifacts.job import Surroundings


def main() -> int:
    """Make trials as the environment says; returns the exit code."""
    sum_in_one_thread()
    from evermodel_runtime.artifacts.job import run_beside  # noqa: PLC0415 - with NumPy, which must not come first

    return run_beside(TrainRun, work)


def work(run: TrainRun, surroundings: Surroundings) -> None:
    """Make trials until all have ended."""
    from evermodel_runtime.train.job import choose, prepare, search_in  # noqa: PLC0415 - as above

    prepared = prepare(run, surroundings)
    run, say = prepared.run, surroundings.progress
    if run.search is None:  # a refit takes the parameters of the champion
        say("nothing is searched for")
        return
    from evermodel_runtime.train.epochs import recipe_for  # noqa: PLC0415 - bad data are told without scikit-learn

    source = prepared.feedback.beside(prepared.part)
    recipe = recipe_for(run, source.rows.columns, say)
    choice = choose(run, recipe, source, prepared.feedback, say)
    search_in(run, run.search, choice.data, prepared.digest, surroundings)
    say("all trials have ended")
