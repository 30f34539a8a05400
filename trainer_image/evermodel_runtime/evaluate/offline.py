"""The Job of an offline evaluation: the champion alone, on labelled production records that it has not learnt from."""

from __future__ import annotations

import msgspec
import numpy as np

from evermodel.contract import LabelledRecords, OfflineReport, OfflineRun, PairedScore, ReportDigests
from evermodel_runtime.artifacts.job import Surroundings, run_job
from evermodel_runtime.artifacts.manifests import StoredModel, load_model
from evermodel_runtime.evaluate.comparison import Comparison
from evermodel_runtime.evaluate.heldout import fresh_rows
from evermodel_runtime.evaluate.importance import left_out, permutation_importance
from evermodel_runtime.evaluate.publishing import publish_report
from evermodel_runtime.evaluate.report import Report, set_report

SET = "production"


def main() -> int:
    """Score as the environment says; returns the exit code."""
    return run_job(OfflineRun, "offline", evaluate)


def evaluate(run: OfflineRun, surroundings: Surroundings) -> OfflineReport:
    """Score the champion on a sample of the records; nothing is chosen by it, so no use of held-out rows is counted."""
    say, hub = surroundings.progress, surroundings.hub
    champion = load_model(hub, run.champion)
    records = hub.records(run.records)
    rows, unread = fresh_rows(drawn(records, run.samples), run, champion, None)
    unseen = rows.unseen(champion, None)
    count = len(unseen)
    say(
        f"version {run.version} of {run.namespace}/{run.model}: {len(records.records):,} records, "
        f"{count:,} of them to score on"
    )
    if unread:
        say(unread)
    compared = Comparison.of(unseen, champion, None) if count else None
    score = None if compared is None else compared.score(run, use=1)
    if compared is None or score is None:
        return OfflineReport(scheduled=run.scheduled, rows=count, score=None, seconds=say.seconds)
    say(f"{score.metric} {score.candidate:.4g} on {score.rows:,} records")
    lower, upper = compared.ours.interval(run.objective) or (None, None)
    return OfflineReport(
        scheduled=run.scheduled,
        rows=count,
        score=score,
        lower=lower,
        upper=upper,
        report=_publish(run, surroundings, champion, compared, score, said=(unread,) if unread else ()),
        seconds=say.seconds,
    )


def drawn(records: LabelledRecords, samples: int) -> LabelledRecords:
    """Return some of the records, drawn at random, in their order; the same ones of the same records."""
    all_ = records.records
    if len(all_) <= samples:
        return records
    chosen = np.random.default_rng(all_[-1].seq).choice(len(all_), samples, replace=False)
    return msgspec.structs.replace(records, records=tuple(all_[place] for place in np.sort(chosen)))


def _publish(
    run: OfflineRun,
    surroundings: Surroundings,
    champion: StoredModel,
    compared: Comparison,
    score: PairedScore,
    *,
    said: tuple[str, ...],
) -> ReportDigests:
    """Store the report as data and as a page."""
    say = surroundings.progress
    importance = permutation_importance(champion, compared, run.objective, lambda: say.seconds)
    told = [
        f"Records: at most {run.samples:,} of those predicted since the version took traffic, drawn at random.",
        *said,
    ]
    missing = {one.column for one in run.slices} - {group.column for group in score.slices}
    if missing:
        told.append(f"Slices by {', '.join(sorted(missing))}: production records hold features alone.")
    report = Report(
        model=run.model,
        version=run.version,
        estimator=champion.manifest.estimator,
        candidate=run.champion,
        champion=None,
        data_sha256=champion.manifest.data_sha256,
        objective=str(run.objective),
        sets=(set_report(SET, score, compared, run, importance),),
        left_out=(*told, *left_out(SET, importance)),
    )
    return publish_report(report, surroundings)
