"""The evaluation Job: it measures, and decides nothing."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from evermodel.contract import Column, ColumnKind, EvaluateRun, EvaluationReport, HeldoutUse, PairedScore, ReportDigests
from evermodel_runtime.artifacts.job import Surroundings, run_job
from evermodel_runtime.artifacts.manifests import StoredModel, load_model
from evermodel_runtime.data.source import read_data
from evermodel_runtime.evaluate.comparison import Comparison, HeldOut
from evermodel_runtime.evaluate.heldout import check_digest, fresh_rows, reference_rows, rows_key
from evermodel_runtime.evaluate.importance import left_out, permutation_importance
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


@dataclass(frozen=True, slots=True)
class ScoredSet:
    """A held-out set on which there are scores."""

    name: str
    compared: Comparison
    score: PairedScore


@dataclass(frozen=True, slots=True)
class Scored:
    """Each held-out set; None for one that could not be scored."""

    case: Case
    reference: ScoredSet | None
    fresh: ScoredSet | None

    @property
    def sets(self) -> tuple[ScoredSet, ...]:
        """Those with scores."""
        return tuple(one for one in (self.reference, self.fresh) if one is not None)

    def told(self, report: ReportDigests | None = None) -> EvaluationReport:
        """Return what the operator judges by."""
        return EvaluationReport(
            reference=None if self.reference is None else self.reference.score,
            fresh=None if self.fresh is None else self.fresh.score,
            report=report,
            seconds=self.case.surroundings.progress.seconds,
        )


def evaluate(run: EvaluateRun, surroundings: Surroundings) -> EvaluationReport:
    """Score both models, and publish a report that explains the candidate, too."""
    scored = score(run, surroundings)
    return scored.told(_publish(scored.case, tuple(_explained(scored.case, one) for one in scored.sets)))


def score(run: EvaluateRun, surroundings: Surroundings) -> Scored:
    """Score the candidate, and the champion where there is one, on each held-out set: all that a gate needs."""
    say, hub = surroundings.progress, surroundings.hub
    say(f"version {run.version} of {run.namespace}/{run.model}: candidate {run.candidate}, champion {run.champion}")
    candidate = load_model(hub, run.candidate)
    champion = None if run.champion is None else load_model(hub, run.champion)
    say("loaded the models")
    if champion is not None and champion.manifest.task is not candidate.manifest.task:
        say(f"the champion is of the task {champion.manifest.task}: it is not compared, nor are its records used")
        run, champion = msgspec.structs.replace(run, fresh=None), None
    case = Case(run, surroundings, candidate, champion)
    return Scored(case, score_reference(case), score_fresh(case))


def score_reference(case: Case) -> ScoredSet | None:
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


def score_fresh(case: Case) -> ScoredSet | None:
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


def _score(case: Case, rows: HeldOut, use: HeldoutUse) -> ScoredSet | None:
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
    return ScoredSet(use.set, compared, score)


def _explained(case: Case, one: ScoredSet) -> SetReport:
    say, run = case.surroundings.progress, case.run
    importance = permutation_importance(case.candidate, one.compared, run.objective, lambda: say.seconds)
    say(f"{one.name}: importance of {len(importance.features):,} features on {importance.rows:,} rows")
    return set_report(one.name, one.score, one.compared, run, importance)


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
        if one.importance is not None:
            said.extend(left_out(one.name, one.importance))
    return tuple(said)
