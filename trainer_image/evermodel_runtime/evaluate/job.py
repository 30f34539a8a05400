"""The evaluation Job: it measures, and decides nothing."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from evermodel.contract import Column, ColumnKind, EvaluateRun, EvaluationReport, HeldoutUse, ReportDigests
from evermodel_runtime.artifacts.job import Surroundings, run_job
from evermodel_runtime.artifacts.manifests import StoredModel, load_model
from evermodel_runtime.data.source import read_data
from evermodel_runtime.evaluate.comparison import Comparison, HeldOut
from evermodel_runtime.evaluate.heldout import check_digest, fresh_rows, reference_rows, rows_key
from evermodel_runtime.evaluate.page import rendered
from evermodel_runtime.evaluate.report import MOST_CLASSES, POINTS, Report, SetReport, encoded, set_report


def main() -> int:
    """Evaluate as the environment says; returns the exit code."""
    return run_job(EvaluateRun, "evaluate", evaluate)


@dataclass(frozen=True, slots=True)
class Case:
    """What is judged, and by what."""

    run: EvaluateRun
    surroundings: Surroundings
    candidate: StoredModel
    champion: StoredModel | None


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
    case = Case(run, surroundings, candidate, champion)
    found = (score_reference(case), score_fresh(case))
    reference, fresh = (None if one is None else one.score for one in found)
    report = _publish(case, tuple(one for one in found if one is not None))
    return EvaluationReport(reference=reference, fresh=fresh, report=report, seconds=say.seconds)


def score_reference(case: Case) -> SetReport | None:
    """Score on the held-out rows of the source."""
    run, hub, say = case.run, case.surroundings.hub, case.surroundings.progress
    columns = case.candidate.manifest.columns + (case.champion.manifest.columns if case.champion else ())
    columns += tuple(Column(name=one.column, kind=ColumnKind.NUMBER) for one in run.slices)  # read, if they are there
    file, digest = read_data(run.data, datasets=hub, mount=case.surroundings.mount, columns=columns)
    check_digest(run, digest)
    rows, obstacle = reference_rows(file, run, case.candidate, case.champion)
    say(f"read {len(rows):,} held-out rows of {run.data.uri}")
    if obstacle:
        say(f"the champion is not scored on them: {obstacle}")
    return _score(case, rows, HeldoutUse(set="reference", version=run.version, rows_key=rows_key(run.data)))


def score_fresh(case: Case) -> SetReport | None:
    """Score on labelled production records, where the run names some."""
    run, say = case.run, case.surroundings.progress
    if run.fresh is None:
        return None
    records = case.surroundings.hub.records(run.fresh)
    say(f"fetched {len(records):,} labelled records of production")
    rows = fresh_rows(records, run, case.candidate, case.champion)
    if rows is None:
        say("they are not scored: the candidate takes other columns than were captured")
        return None
    after, through = run.fresh.after, run.fresh.through
    return _score(
        case, rows, HeldoutUse(set="fresh", version=run.version, rows_key="fresh", after=after, through=through)
    )


def _score(case: Case, rows: HeldOut, use: HeldoutUse) -> SetReport | None:
    say = case.surroundings.progress
    unseen = rows.unseen(case.candidate, case.champion)
    if len(unseen) < len(rows):
        say(f"{use.set}: {len(rows) - len(unseen):,} rows left out that a model was trained on")
    if not len(unseen):
        say(f"{use.set}: no rows to score on")
        return None
    compared = Comparison.of(unseen, case.candidate, case.champion)
    score = compared.score(case.run, use=case.surroundings.hub.use_heldout(use))
    if score is None:
        say(f"{use.set}: {case.run.objective} has no value on these {len(unseen):,} rows")
        return None
    theirs = "no champion" if score.champion is None else f"champion {score.champion:.4g}"
    say(
        f"{use.set}: {score.rows:,} rows, {score.metric}: candidate {score.candidate:.4g}, {theirs}, "
        f"dummy {score.dummy:.4g}; right alone: candidate {score.candidate_only:,}, champion {score.champion_only:,}; "
        f"use {score.use} of these rows"
    )
    return set_report(use.set, score, compared, case.run)


def _publish(case: Case, sets: tuple[SetReport, ...]) -> ReportDigests | None:
    """Store the report as data and as a page."""
    if not sets:
        return None
    run, hub = case.run, case.surroundings.hub
    report = Report(
        model=run.model,
        version=run.version,
        estimator=case.candidate.manifest.estimator,
        candidate=run.candidate,
        champion=None if case.champion is None else run.champion,
        data_sha256=run.data_sha256,
        objective=str(run.objective),
        sets=sets,
        left_out=_left_out(run, sets),
    )
    digests = ReportDigests(json=hub.put_blob(encoded(report)), html=hub.put_blob(rendered(report)))
    case.surroundings.progress(f"published the report {digests.json}")
    return digests


def _left_out(run: EvaluateRun, sets: tuple[SetReport, ...]) -> tuple[str, ...]:
    said = [f"Of more than {MOST_CLASSES} classes the most frequent are shown, and of curves {POINTS} points at most."]
    if run.fresh is not None and all(one.name != "fresh" for one in sets):
        said.append("Production records: none that neither model was trained on could be scored.")
    for one in sets:
        known = {group.column for group in one.score.slices}
        missing = [declared.column for declared in run.slices if declared.column not in known]
        if missing:
            why = "production records hold features alone" if one.name == "fresh" else "the data have no such column"
            said.append(f"Slices by {', '.join(missing)} of the {one.name} rows: {why}.")
        unknown = [str(measure) for measure in run.metrics if str(measure) not in one.score.metrics]
        if unknown:
            said.append(f"{', '.join(unknown)} on the {one.name} rows: without a value there.")
    return tuple(said)
