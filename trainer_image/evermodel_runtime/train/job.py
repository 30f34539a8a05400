"""The training Job, read from top to bottom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from platform import python_version
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from evermodel.contract import (
    Column,
    FreshRange,
    LabelledRecords,
    LearningCurve,
    Manifest,
    NothingNewReport,
    Scalar,
    Search,
    Task,
    TrainReport,
    TrainRun,
)
from evermodel_runtime.artifacts.bins import put_reference
from evermodel_runtime.artifacts.job import Hub, Progress, Surroundings, run_job
from evermodel_runtime.artifacts.manifests import encode_manifest, read_manifest
from evermodel_runtime.artifacts.tensorboard import Scalars, event_file
from evermodel_runtime.data.bins import bins_of_rows
from evermodel_runtime.data.cases import hashes_of_records
from evermodel_runtime.data.dataset import (
    Dataset,
    TrainingPart,
    dates_in,
    read_dataset,
    training_part,
    whole_where_encoded,
)
from evermodel_runtime.data.failure import JobError, NothingNew
from evermodel_runtime.data.feedback import read_feedback
from evermodel_runtime.data.labels import usual_answers
from evermodel_runtime.data.memory import Memory, hand_back
from evermodel_runtime.data.merging import Merged, merged, told_of
from evermodel_runtime.data.positive_class import require_positive_class
from evermodel_runtime.data.rows import FeatureRows, Hashes, encode_hashes, row_hashes, spread_over
from evermodel_runtime.data.source import read_data
from evermodel_runtime.train.defaults import default_steps, described
from evermodel_runtime.train.importing_ahead import importing_ahead
from evermodel_runtime.train.ladder import with_strategy
from evermodel_runtime.train.notes import LONGEST_NOTE, coarse_columns, ignored_columns, warnings_of
from evermodel_runtime.train.objective import goodness, losses_of, value_of
from evermodel_runtime.train.windows import Choice, LabelledRows, Score, Window, all_data, choose_data

if TYPE_CHECKING:
    from evermodel_runtime.train.base import Base
    from evermodel_runtime.train.earlier_members import Joined
    from evermodel_runtime.train.packing import Packed  # with scikit-learn, for which bad data need not wait
    from evermodel_runtime.train.pipeline import Recipe
    from evermodel_runtime.train.search import Found

LIBRARIES = ("numpy", "onnx", "onnxruntime", "scikit-learn", "scipy", "skl2onnx", "skops")
NO_RECORDS = LabelledRecords(records=(), columns={}, through=0, more=False)
TO_USE_THEM = "Wait for records of this version, or leave what they lack out of spec.data.features."
LONGEST_REASON = 600
"""Characters of what scikit-learn or skl2onnx said, so that the report fits into a termination message."""


def main() -> int:
    """Train as the environment says; returns the exit code."""
    return run_job(TrainRun, "train", train)


def train(run: TrainRun, surroundings: Surroundings) -> TrainReport:
    """Make one version and publish it."""
    if run.imported is not None:
        from evermodel_runtime.train.importing import import_model  # noqa: PLC0415 - few runs import

        return import_model(run, surroundings)
    if run.online is not None:
        from evermodel_runtime.train.online import learn_on  # noqa: PLC0415 - with scikit-learn, as below

        return learn_on(run, run.online, surroundings)
    say, hub = surroundings.progress, surroundings.hub
    prepared = prepare(run, surroundings)
    run, part, feedback = prepared.run, prepared.part, prepared.feedback
    notes = [*prepared.notes]
    source = feedback.beside(part)
    recipe, base = None, None
    if run.warm_start is not None:
        from evermodel_runtime.train.warm_start import find_start  # noqa: PLC0415 - with scikit-learn, as below

        start = find_start(run, prepared.declared, part, feedback.data, surroundings)
        say(start.note)
        notes.append(start.note)
        run, base, part, recipe = start.run, start.base, start.part, start.recipe(say)
        feedback = feedback.left(start.feedback)
        source = feedback.beside(part)
    notes[:0] = _assumed(run, prepared.declared, base, say)
    joined = earlier_members(run, prepared.dataset, part, feedback.data, surroundings)
    if joined is not None:
        notes.extend(joined.notes)
        run, recipe = joined.run, joined.recipe
    fitted = fit(run, source, feedback, prepared.digest, surroundings, started=recipe)
    run, digest = fitted.run, prepared.digest
    packed = pack_checked(run, fitted, prepared.dataset, (source.rows, feedback.data.rows), say)
    seen = [known.seen for known in (base, joined) if known is not None]
    learnt = np.concatenate([_learnt_hashes(fitted.choice, part), *seen])
    started_from = None if base is None else base.digest
    manifest = publish(
        run,
        hub,
        fitted,
        packed,
        data_sha256=digest,
        learnt=learnt,
        held_out=prepared.dataset.features[prepared.dataset.reference],
        started_from=started_from,
        say=say,
    )
    say(f"published as manifest {manifest}")
    return TrainReport(
        manifest=manifest,
        data_sha256=digest,
        rows=len(fitted.choice.data),
        feedback_rows=fitted.choice.feedback_rows,
        window=fitted.choice.window.value,
        validation=fitted.choice.validation,
        classes=len(fitted.classes),
        fits=fitted.choice.tried + 1,
        seconds=say.seconds,
        format=packed.format,
        format_reason=packed.reason[:LONGEST_REASON],
        notes=tuple(note[:LONGEST_NOTE] for note in notes),
        epochs=None if fitted.curve is None else fitted.curve.summary,
        started_from=started_from,
        search=None if fitted.found is None else fitted.found.summary,
    )


@dataclass(frozen=True, slots=True)
class Prepared:
    """What there is to learn from, and how.

    Attributes
    ----------
    run : TrainRun
        As its strategy changes it, with default steps where none are declared.
    declared : TrainRun
        The same without default steps.
    dataset : Dataset
        Its held-out rows alone: the others are in ``part``.
    digest : str
        sha256 of the source.
    notes : tuple of str
        What a person should know of it.
    """

    run: TrainRun
    declared: TrainRun
    dataset: Dataset
    part: TrainingPart
    feedback: UsableFeedback
    digest: str
    notes: tuple[str, ...]


def prepare(run: TrainRun, surroundings: Surroundings) -> Prepared:
    """Read the source, hold rows out, and fetch feedback.

    Raises
    ------
    JobError
        For bad data, or parameters that do not go with them.
    NothingNew
        See ``end_if_nothing_new``.
    """
    say, hub = surroundings.progress, surroundings.hub
    champion = None if run.champion is None else read_manifest(hub, run.champion)
    known = () if champion is None else champion.columns
    run, told = with_strategy(run, champion)
    by = "" if run.strategy is None else f"{run.strategy}, "
    say(f"version {run.version} of {run.namespace}/{run.model}: {by}{run.estimator} on {run.data.uri}")
    with importing_ahead(run.data.uri):
        file, digest = read_data(run.data, datasets=hub, mount=surroundings.mount, columns=known)
    dates = () if run.preprocessing or known else dates_in(file, run.data)
    dataset = read_dataset(file, run.data, run.preprocessing, known, run.task, dates=dates)
    require_positive_class(run.objective, run.data, dataset)
    notes = [*told, *ignored_columns(file, run, dataset), *warnings_of(run, dataset), *coarse_columns(file, dataset)]
    del file  # its columns are as large as the features made from them
    hand_back()
    declared = run
    if not run.preprocessing:
        run = msgspec.structs.replace(run, preprocessing=default_steps(dataset.features, run.estimator))
    part = training_part(dataset)
    for note in notes:
        say(note)
    say(f"read {len(dataset.hashes):,} rows of {len(dataset.features.columns)} features, sha256 {digest}")
    say(
        f"split: {int(dataset.reference.sum()):,} rows held out, {len(part.hashes):,} to learn from, "
        f"{part.excluded:,} left out as copies of held-out rows"
    )
    dataset = dataset.held_out()  # the others are in the training part: twice would be too much
    feedback = usable_feedback(run, hub, dataset, part, say)
    end_if_nothing_new(run, digest, feedback)
    notes.extend(feedback.notes)
    hand_back()
    return Prepared(run, declared, dataset, part, feedback, digest, tuple(notes))


def _assumed(run: TrainRun, declared: TrainRun, base: Base | None, say: Progress) -> list[str]:
    """Say which steps were taken unasked; those of a model that is started from are its own."""
    if declared.preprocessing or base is not None:
        return []
    note = described(run.preprocessing)
    say(note)
    return [note]


def end_if_nothing_new(run: TrainRun, digest: str, feedback: UsableFeedback) -> None:
    """End the Job where a version that the operator names learnt from the same source and records.

    Raises
    ------
    NothingNew
        Then a fit would make the same model again, and judging it would cost a use of the held-out rows.
    """
    for known in run.known:
        if known.data_sha256 == digest and feedback.through <= (known.feedback_through or 0):
            records = (
                "" if run.feedback_through is None else ", and no labelled record has come that can be learnt from"
            )
            message = f"{run.data.uri} is as version {known.version} learnt from it{records}: nothing was trained."
            raise NothingNew(NothingNewReport(data_sha256=digest, message=message))


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted pipeline and what it was fitted on.

    Attributes
    ----------
    run : TrainRun
        With the parameters that were searched for.
    """

    run: TrainRun
    pipeline: Any
    choice: Choice
    classes: tuple[Scalar, ...]
    columns: tuple[Column, ...]
    curve: LearningCurve | None
    found: Found | None


@dataclass(frozen=True, slots=True)
class UsableFeedback:
    """Labelled production records that may be learnt from, oldest first.

    Attributes
    ----------
    since_change : int or None
        How many of the newest are of the shortfall that an alarm found; None without an alarm.
    seqs : array of int
        Their ledger numbers.
    notes : tuple of str
        Which were left out for their columns, and what the rules of spec.retraining.data made of the others.
    source_weight : float or None
        How much a row of the source counts beside them; None where all rows count alike.
    """

    data: LabelledRows
    since_change: int | None
    seqs: NDArray[np.int64]
    notes: tuple[str, ...] = ()
    source_weight: float | None = None

    @property
    def through(self) -> int:
        """Ledger number of the newest; 0 where there is none."""
        return int(self.seqs.max(initial=0))

    def beside(self, part: TrainingPart) -> LabelledRows:
        """Return the rows of the source, weighed as they are beside these."""
        weights = None if self.source_weight is None else np.full(len(part.hashes), self.source_weight)
        return LabelledRows(part.features, part.target.labels, weights)

    def left(self, data: LabelledRows) -> UsableFeedback:
        """Return those of it that a model has not learnt from before: the oldest are known first."""
        since_change = None if self.since_change is None else min(self.since_change, len(data))
        return replace(self, data=data, since_change=since_change)


def usable_feedback(run: TrainRun, hub: Hub, dataset: Dataset, part: TrainingPart, say: Progress) -> UsableFeedback:
    """Fetch labelled production records that may be learnt from; none when the run wants none."""
    wanted = run.feedback_through or 0
    records = hub.records(FreshRange(after=0, through=wanted)) if wanted else NO_RECORDS
    feedback = read_feedback(records, dataset.features.columns, run.data.target)
    labels = part.target.parse(feedback.labels)
    fits = np.array([label is not None for label in labels], dtype=np.bool_)
    held_out = np.isin(row_hashes(feedback.rows), dataset.hashes[dataset.reference])
    encodable = whole_where_encoded(feedback.rows, run.preprocessing)
    chosen = np.flatnonzero(fits & encodable & ~held_out)
    notes = [f"{feedback.told} {TO_USE_THEM}"] if feedback.unfit else []
    if records.records:
        say(
            f"feedback: {len(records.records):,} labelled records, {len(chosen):,} to learn from; left out: "
            f"{int(held_out.sum()):,} equal to held-out rows, {int((~fits).sum()):,} with a label of another type, "
            f"{sum(one.records for one in feedback.unfit):,} with other columns or labels of another, "
            f"{feedback.unusable + int((~encodable).sum()):,} with missing values or broken categories"
        )
    for note in notes:
        say(note)
    merging = Merged()
    if run.feedback_rules is not None and len(chosen):
        source_rows = len(part.hashes)
        merging = merged(feedback.times[chosen], source_rows, run.feedback_rules)
        notes.append(told_of(merging, len(chosen), source_rows, run.feedback_rules))
        say(notes[-1])
        chosen = chosen[merging.first :]
    usable = [label for index in chosen if (label := labels[index]) is not None]
    data = LabelledRows(feedback.rows[chosen], part.target.array(usable), merging.weights)
    since_change = None if run.changed_after is None else int((feedback.seqs[chosen] > run.changed_after).sum())
    return UsableFeedback(data, since_change, feedback.seqs[chosen], tuple(notes), merging.source_weight)


def earlier_members(
    run: TrainRun, dataset: Dataset, part: TrainingPart, feedback: LabelledRows, surroundings: Surroundings
) -> Joined | None:
    """Fetch the members of an ensemble that were trained before; None where none is declared."""
    if run.ensemble is None or not any(member.is_earlier for member in run.ensemble.members):
        return None
    from evermodel_runtime.train.earlier_members import join  # noqa: PLC0415 - with scikit-learn, as below

    joined = join(run, part, feedback, dataset.hashes[dataset.reference], surroundings)
    for note in joined.notes:
        surroundings.progress(note)
    return joined


def fit(
    run: TrainRun,
    source: LabelledRows,
    feedback: UsableFeedback,
    data_sha256: str,
    surroundings: Surroundings,
    *,
    started: Recipe | None = None,
) -> Fitted:
    """Choose the data, then the parameters where they are searched for, and fit; by the run's recipe or ``started``."""
    from evermodel_runtime.train.epochs import recipe_for  # noqa: PLC0415 - with scikit-learn, as above

    say, columns = surroundings.progress, source.rows.columns
    recipe = started or recipe_for(run, columns, say)
    choice = choose(run, recipe, source, feedback, say)
    found = None
    if run.search is not None:
        found = search_in(run, run.search, choice.data, data_sha256, surroundings)
        run, recipe = found.run, recipe_for(found.run, columns, say)
    say(f"fit on {len(choice.data):,} rows ({choice.window}), {choice.feedback_rows:,} of them feedback")
    learnt = recipe.learn(choice.data.rows, choice.data.labels, choice.data.weights)
    classes: tuple[Scalar, ...] = () if run.task is Task.REGRESSION else tuple(learnt.pipeline.classes_.tolist())
    say("fitted" if run.task is Task.REGRESSION else f"fitted {len(classes)} classes")
    return Fitted(run, learnt.pipeline, choice, classes, columns, learnt.curve, found)


def choose(run: TrainRun, recipe: Recipe, source: LabelledRows, feedback: UsableFeedback, say: Progress) -> Choice:
    """Choose what to learn from, by the declared parameters.

    Raises
    ------
    JobError
        SpecInvalid for what does not go together, OutOfMemory for what does not fit, before anything is fitted.
    """
    # Bad data are told without the wait for scikit-learn.
    from evermodel_runtime.train.age_weights import require_weights  # noqa: PLC0415
    from evermodel_runtime.train.pipeline import table  # noqa: PLC0415
    from evermodel_runtime.train.row_pairs import check_row_pairs  # noqa: PLC0415
    from evermodel_runtime.train.words import check_vocabularies  # noqa: PLC0415

    rules = run.feedback_rules
    if rules is not None and rules.half_life is not None:
        require_weights(recipe.pipeline[-1])
    memory = Memory.of_this_process()
    check_row_pairs(recipe.pipeline[-1], len(source) + len(feedback.data), memory)
    for told in check_vocabularies(recipe.pipeline, source.rows, memory):
        say(told)
    if run.search is not None:
        from evermodel_runtime.train.trials import settings_of  # noqa: PLC0415 - few runs search

        settings_of(run, run.search)  # wrong parameters are told before anything is fitted

    def tried(candidate: LabelledRows, newest: LabelledRows) -> Score | None:
        try:
            predicted = recipe.fit(candidate.rows, candidate.labels, candidate.weights).predict(table(newest.rows))
        except JobError as error:  # a short window may have too few rows for these parameters
            say(f"validation: {len(candidate):,} rows are no choice: {error.message}")
            return None
        score = value_of(run.objective, newest.labels, predicted)
        if score is None:
            say(f"validation: {run.objective} has no value on the newest {len(newest):,} rows")
            return None
        say(f"validation: fitted on {len(candidate):,} rows, {run.objective} {score:.4g} on the newest {len(newest):,}")
        return Score(goodness(run.objective, score), losses_of(run.objective, newest.labels, predicted))

    if rules is not None and rules.bounds_share:
        choice = all_data(source, feedback.data)
    else:
        choice = choose_data(source, feedback.data, tried, feedback.since_change)
    if choice.validation is not None:
        choice = replace(choice, validation=goodness(run.objective, choice.validation))
    return choice


def search_in(run: TrainRun, search: Search, data: LabelledRows, data_sha256: str, surroundings: Surroundings) -> Found:
    """Find the parameters, together with the other pods of the search where there are any."""
    from evermodel_runtime.train.search import find_parameters, run_digest  # noqa: PLC0415 - with scikit-learn, as above
    from evermodel_runtime.train.sharing import Journal  # noqa: PLC0415

    journal = Journal(surroundings.hub, run.version, run_digest(run, data_sha256, data))
    return find_parameters(run, search, data, journal, surroundings.progress)


def pack_checked(
    run: TrainRun, fitted: Fitted, dataset: Dataset, learnt: Sequence[FeatureRows], say: Progress
) -> Packed:
    """Store the model, and compare what was stored with the pipeline on rows spread over all there are."""
    from evermodel_runtime.train.export import PARITY_ROWS  # noqa: PLC0415 - as above
    from evermodel_runtime.train.packing import pack  # noqa: PLC0415

    rows = spread_over([*learnt, dataset.features[dataset.reference]], PARITY_ROWS)
    return pack(fitted.pipeline, make_manifest(run, fitted, "", ""), rows, say)


def _learnt_hashes(choice: Choice, part: TrainingPart) -> Hashes:
    """Return the hashes of the rows that were fitted on; those of the source are known."""
    if choice.window is not Window.ALL:
        return hashes_of_records(choice.data.rows, repeated=part.repeated)
    records = choice.data.rows[len(part.hashes) :]
    return np.concatenate([part.hashes, hashes_of_records(records, repeated=part.repeated)])


def publish(
    run: TrainRun,
    hub: Hub,
    fitted: Fitted,
    packed: Packed,
    *,
    data_sha256: str,
    learnt: Hashes,
    held_out: FeatureRows,
    started_from: str | None,
    say: Progress,
) -> str:
    """Store the model and what is known of its rows, then the manifest that names them; returns its sha256."""
    file = hub.put_blob(packed.content)
    training_rows = hub.put_blob(encode_hashes(learnt))
    manifest = packed.named_in(make_manifest(run, fitted, training_rows, data_sha256), file)
    rows = fitted.choice.data.rows
    asked = held_out if len(held_out) else rows
    bins = put_reference(hub, bins_of_rows(rows), packed.scorer(manifest), asked, say)
    manifest = msgspec.structs.replace(manifest, started_from=started_from, bins=bins)
    if run.warm_start is not None or run.epochs is not None or run.keeps_pipeline:
        manifest = msgspec.structs.replace(manifest, pipeline=_kept(fitted.pipeline, hub, say))
    if fitted.curve is not None:
        curve, events = msgspec.json.encode(fitted.curve), event_file(scalars_of(fitted.curve))
        manifest = msgspec.structs.replace(
            manifest, learning_curve=hub.put_blob(curve), tensorboard=hub.put_blob(events)
        )
    if fitted.found is not None:
        manifest = msgspec.structs.replace(manifest, search=hub.put_blob(msgspec.json.encode(fitted.found.table)))
    return hub.put_blob(encode_manifest(manifest))


def _kept(pipeline: Any, hub: Hub, say: Progress) -> str | None:
    """Store the pipeline itself, for a later training to start from."""
    from evermodel_runtime.artifacts.skops_archive import ArchiveError, dump_pipeline  # noqa: PLC0415 - as above

    try:
        return hub.put_blob(dump_pipeline(pipeline))
    except ArchiveError as error:
        say(f"no later training can start from this model: {error}")
        return None


def scalars_of(curve: LearningCurve) -> Iterator[Scalars]:
    """Return a curve as TensorBoard shows it."""
    for epoch in curve.epochs:
        loss = {} if epoch.loss is None else {"training/loss": epoch.loss}
        yield Scalars(epoch.number, {f"validation/{curve.metric}": epoch.validation, **loss})


def make_manifest(run: TrainRun, fitted: Fitted, training_rows: str, data_sha256: str) -> Manifest:
    """Write down what was made, all but the model's file."""
    usual = usual_answers(fitted.choice.data.labels, fitted.classes, run.task)
    return Manifest(
        model=run.model,
        version=run.version,
        target=run.data.target,
        task=run.task,
        columns=fitted.columns,
        classes=fitted.classes,
        onnx_inputs="matrix" if fitted.choice.data.rows.all_numbers else "columns",
        training_rows=training_rows,
        majority=usual.majority,
        mean=usual.mean,
        median=usual.median,
        data_sha256=data_sha256,
        feedback_through=run.feedback_through,
        estimator=run.estimator,
        parameters=run.parameters,
        ensemble=run.ensemble,
        preprocessing=run.preprocessing,
        libraries={"python": python_version()} | {name: version(name) for name in LIBRARIES},
    )
