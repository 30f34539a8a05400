"""The evaluation Job: it measures, and decides nothing."""

from __future__ import annotations

import msgspec

from evermodel.contract import EvaluateRun, EvaluationReport, HeldoutUse, Measure, PairedScore
from evermodel_runtime.artifacts.job import Surroundings, run_job
from evermodel_runtime.artifacts.manifests import StoredModel, load_model
from evermodel_runtime.data.source import read_data
from evermodel_runtime.evaluate.comparison import HeldOut, score_pair
from evermodel_runtime.evaluate.heldout import check_digest, fresh_rows, reference_rows, rows_key


def main() -> int:
    """Evaluate as the environment says; returns the exit code."""
    return run_job(EvaluateRun, "evaluate", evaluate)


def evaluate(run: EvaluateRun, surroundings: Surroundings) -> EvaluationReport:
    """Score the candidate, and the champion where there is one, on each held-out set."""
    say, hub = surroundings.progress, surroundings.hub
    say(f"version {run.version} of {run.namespace}/{run.model}: candidate {run.candidate}, champion {run.champion}")
    candidate = load_model(hub, run.candidate)
    champion = None if run.champion is None else load_model(hub, run.champion)
    say("loaded the models")
    if champion is not None and champion.manifest.task is not candidate.manifest.task:
        say(f"the champion is of the task {champion.manifest.task}: it is not compared, nor are its records used")
        run, champion = msgspec.structs.replace(run, fresh=None), None
    reference = score_reference(run, surroundings, candidate, champion)
    fresh = score_fresh(run, surroundings, candidate, champion)
    return EvaluationReport(reference=reference, fresh=fresh, seconds=say.seconds)


def score_reference(
    run: EvaluateRun, surroundings: Surroundings, candidate: StoredModel, champion: StoredModel | None
) -> PairedScore | None:
    """Score on the held-out rows of the source."""
    columns = candidate.manifest.columns + (champion.manifest.columns if champion else ())
    file, digest = read_data(run.data, datasets=surroundings.hub, mount=surroundings.mount, columns=columns)
    check_digest(run, digest)
    rows, obstacle = reference_rows(file, run.data, candidate, champion)
    surroundings.progress(f"read {len(rows):,} held-out rows of {run.data.uri}")
    if obstacle:
        surroundings.progress(f"the champion is not scored on them: {obstacle}")
    use = HeldoutUse(set="reference", version=run.version, rows_key=rows_key(run.data))
    return _score(rows, use, surroundings, candidate, champion, objective=run.objective)


def score_fresh(
    run: EvaluateRun, surroundings: Surroundings, candidate: StoredModel, champion: StoredModel | None
) -> PairedScore | None:
    """Score on labelled production records, where the run names some."""
    if run.fresh is None:
        return None
    records = surroundings.hub.records(run.fresh)
    surroundings.progress(f"fetched {len(records):,} labelled records of production")
    rows = fresh_rows(records, candidate, champion)
    if rows is None:
        surroundings.progress("they are not scored: the candidate takes other columns than were captured")
        return None
    after, through = run.fresh.after, run.fresh.through
    use = HeldoutUse(set="fresh", version=run.version, rows_key="fresh", after=after, through=through)
    return _score(rows, use, surroundings, candidate, champion, objective=run.objective)


def _score(
    rows: HeldOut,
    use: HeldoutUse,
    surroundings: Surroundings,
    candidate: StoredModel,
    champion: StoredModel | None,
    *,
    objective: Measure,
) -> PairedScore | None:
    say = surroundings.progress
    unseen = rows.unseen(candidate, champion)
    if len(unseen) < len(rows):
        say(f"{use.set}: {len(rows) - len(unseen):,} rows left out that a model was trained on")
    if not len(unseen):
        say(f"{use.set}: no rows to score on")
        return None
    score = score_pair(unseen, candidate, champion, measure=objective, use=surroundings.hub.use_heldout(use))
    if score is None:
        say(f"{use.set}: {objective} has no value on these {len(unseen):,} rows")
        return None
    theirs = "no champion" if score.champion is None else f"champion {score.champion:.4g}"
    say(
        f"{use.set}: {score.rows:,} rows, {score.metric}: candidate {score.candidate:.4g}, {theirs}, "
        f"dummy {score.dummy:.4g}; right alone: candidate {score.candidate_only:,}, champion {score.champion_only:,}; "
        f"use {score.use} of these rows"
    )
    return score
