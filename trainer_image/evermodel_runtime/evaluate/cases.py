"""What is judged, and what it answers to the rows that neither model has seen."""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec

from evermodel.contract import Column, ColumnKind, EvaluateRun, HeldoutUse
from evermodel_runtime.artifacts.job import Surroundings
from evermodel_runtime.artifacts.manifests import StoredModel, load_model
from evermodel_runtime.data.source import read_data
from evermodel_runtime.evaluate.comparison import Comparison, HeldOut
from evermodel_runtime.evaluate.heldout import check_digest, fresh_rows, reference_rows, rows_key


@dataclass(frozen=True, slots=True)
class Case:
    """What is judged, and by what."""

    run: EvaluateRun
    surroundings: Surroundings
    candidate: StoredModel
    champion: StoredModel | None


@dataclass(frozen=True, slots=True)
class AskedSet:
    """A held-out set, and what both models answer to it.

    Attributes
    ----------
    left_out : str
        Which rows of it cannot be read as the models take them, in a sentence; empty where all can.
    """

    use: HeldoutUse
    compared: Comparison
    left_out: str = ""


def load_case(run: EvaluateRun, surroundings: Surroundings) -> Case:
    """Fetch the models."""
    say, hub = surroundings.progress, surroundings.hub
    say(f"version {run.version} of {run.namespace}/{run.model}: candidate {run.candidate}, champion {run.champion}")
    candidate = load_model(hub, run.candidate)
    champion = None if run.champion is None else load_model(hub, run.champion)
    say("loaded the models")
    if champion is not None and champion.manifest.task is not candidate.manifest.task:
        say(f"the champion is of the task {champion.manifest.task}: it is not compared, nor are its records used")
        run, champion = msgspec.structs.replace(run, fresh=None), None
    return Case(run, surroundings, candidate, champion)


def ask(case: Case) -> tuple[AskedSet, ...]:
    """Ask both models about each held-out set that has rows."""
    return tuple(one for one in (_reference(case), _fresh(case)) if one is not None)


def _reference(case: Case) -> AskedSet | None:
    """Ask about the held-out rows of the source."""
    run, hub, say = case.run, case.surroundings.hub, case.surroundings.progress
    columns = case.candidate.manifest.columns + (case.champion.manifest.columns if case.champion else ())
    columns += tuple(Column(name=one.column, kind=ColumnKind.NUMBER) for one in run.slices)  # read, if they are there
    file, digest = read_data(run.data, datasets=hub, mount=case.surroundings.mount, columns=columns)
    check_digest(run, digest)
    rows, obstacle = reference_rows(file, run, case.candidate, case.champion)
    say(f"read {len(rows):,} held-out rows of {run.data.uri}")
    if obstacle:
        say(f"the champion is not scored on them: {obstacle}")
    return _asked(case, rows, HeldoutUse(set="reference", version=run.version, rows_key=rows_key(run.data)))


def _fresh(case: Case) -> AskedSet | None:
    """Ask about labelled production records, where the run names some."""
    run, say = case.run, case.surroundings.progress
    if run.fresh is None:
        return None
    records = case.surroundings.hub.records(run.fresh)
    say(f"fetched {len(records.records):,} labelled records of production")
    rows, left_out = fresh_rows(records, run, case.candidate, case.champion)
    if left_out:
        say(left_out)
    after, through = run.fresh.after, run.fresh.through
    asked = _asked(
        case, rows, HeldoutUse(set="fresh", version=run.version, rows_key="fresh", after=after, through=through)
    )
    return None if asked is None else replace(asked, left_out=left_out)


def _asked(case: Case, rows: HeldOut, use: HeldoutUse) -> AskedSet | None:
    say = case.surroundings.progress
    unseen = rows.unseen(case.candidate, case.champion)
    if len(unseen) < len(rows):
        say(f"{use.set}: {len(rows) - len(unseen):,} rows left out that a model was trained on")
    if not len(unseen):
        say(f"{use.set}: no rows to score on")
        return None
    return AskedSet(use, Comparison.of(unseen, case.candidate, case.champion))
