"""The evaluation Job: it measures, and decides nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import msgspec

from evermodel.contract import EvaluateRun, EvaluationReport, PairedScore, ReportDigests
from evermodel_runtime.artifacts.job import Surroundings, run_job
from evermodel_runtime.evaluate.cases import AskedSet, Case, ask, load_case
from evermodel_runtime.evaluate.comparison import Comparison
from evermodel_runtime.evaluate.custom_metrics import Measured, Places, measured
from evermodel_runtime.evaluate.importance import left_out, permutation_importance
from evermodel_runtime.evaluate.publishing import publish_report
from evermodel_runtime.evaluate.report import MOST_CLASSES, POINTS, Report, SetReport, set_report


def main() -> int:
    """Evaluate as the environment says; returns the exit code."""
    places = Places.of(os.environ)
    return run_job(EvaluateRun, "evaluate", lambda run, surroundings: evaluate(run, surroundings, places))


@dataclass(frozen=True, slots=True)
class ScoredSet:
    """A held-out set on which there are scores.

    Attributes
    ----------
    champion_custom : mapping of str to float
        The champion's custom metrics; those of the candidate are among the score's.
    """

    name: str
    compared: Comparison
    score: PairedScore
    champion_custom: Mapping[str, float] = field(default_factory=dict)

    def with_custom(self, found: Measured) -> ScoredSet:
        """Return the same with what containers of the user's own have measured."""
        ours, theirs = found.of(self.name, "candidate"), found.of(self.name, "champion")
        score = msgspec.structs.replace(self.score, metrics=self.score.metrics | ours)
        return replace(self, score=score, champion_custom=theirs)


@dataclass(frozen=True, slots=True)
class Scored:
    """The held-out sets that could be scored."""

    case: Case
    asked: tuple[AskedSet, ...]
    sets: tuple[ScoredSet, ...]

    def told(self, report: ReportDigests | None = None) -> EvaluationReport:
        """Return what the operator judges by."""
        scores = {one.name: one.score for one in self.sets}
        return EvaluationReport(
            reference=scores.get("reference"),
            fresh=scores.get("fresh"),
            report=report,
            seconds=self.case.surroundings.progress.seconds,
        )


def evaluate(run: EvaluateRun, surroundings: Surroundings, places: Places | None = None) -> EvaluationReport:
    """Score both models, take custom metrics in, and publish a report that explains the candidate, too."""
    scored = score(run, surroundings)
    if run.custom_metrics:
        found = measured(run.custom_metrics, scored.asked, places or Places())
        surroundings.progress(f"read the custom metrics {', '.join(run.custom_metrics)}")
        scored = replace(scored, sets=tuple(one.with_custom(found) for one in scored.sets))
    return scored.told(_publish(scored, tuple(_explained(scored.case, one) for one in scored.sets)))


def score(run: EvaluateRun, surroundings: Surroundings) -> Scored:
    """Score the candidate, and the champion where there is one, on each held-out set: all that a gate needs."""
    case = load_case(run, surroundings)
    asked = ask(case)
    found = (_score(case, one) for one in asked)
    return Scored(case, asked, tuple(one for one in found if one is not None))


def _score(case: Case, asked: AskedSet) -> ScoredSet | None:
    say, use, compared = case.surroundings.progress, asked.use, asked.compared
    score = compared.score(case.run, use=case.surroundings.hub.use_heldout(use))
    if score is None:
        say(f"{use.set}: {case.run.objective} has no value on these {len(compared.rows):,} rows")
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
    report = set_report(one.name, one.score, one.compared, run, importance)
    return msgspec.structs.replace(report, champion_metrics={**report.champion_metrics, **one.champion_custom})


def _publish(scored: Scored, sets: tuple[SetReport, ...]) -> ReportDigests | None:
    """Store the report as data and as a page."""
    if not sets:
        return None
    case, run = scored.case, scored.case.run
    report = Report(
        model=run.model,
        version=run.version,
        estimator=case.candidate.manifest.estimator,
        candidate=run.candidate,
        champion=None if case.champion is None else run.champion,
        data_sha256=run.data_sha256,
        objective=str(run.objective),
        sets=sets,
        left_out=(*_left_out(run, sets), *(one.left_out for one in scored.asked if one.left_out)),
    )
    return publish_report(report, case.surroundings)


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
