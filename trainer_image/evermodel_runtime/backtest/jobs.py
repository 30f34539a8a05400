"""The Jobs of a replay: the real ones, called as functions in turn, with their fits counted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from evermodel.contract import (
    DataSource,
    EvaluateRun,
    EvaluationReport,
    FreshRange,
    TrainReport,
    TrainRun,
)
from evermodel_runtime.artifacts.job import Progress, Surroundings
from evermodel_runtime.artifacts.manifests import StoredModel, load_model
from evermodel_runtime.backtest.hub import SOURCE_URI, ReplayHub
from evermodel_runtime.data.labels import as_texts
from evermodel_runtime.data.rows import FeatureRows
from evermodel_runtime.evaluate.answers import Texts
from evermodel_runtime.evaluate.job import score
from evermodel_runtime.train.job import train

NO_MOUNT = Path("/nonexistent")


class Quiet(Progress):
    """Progress of Jobs whose figures are told otherwise."""

    def __init__(self) -> None:
        super().__init__(lambda: 0.0)

    def __call__(self, line: str) -> None:
        """Leave the line out."""


@dataclass(frozen=True, slots=True)
class Version:
    """A trained model.

    Attributes
    ----------
    feedback_through : int
        Ledger number up to which it may have learnt from labels; 0 for the first version.
    """

    number: int
    report: TrainReport
    feedback_through: int
    model: StoredModel

    def answers(self, rows: FeatureRows) -> Texts:
        """Predict, as ``label_text`` spells it."""
        return as_texts(self.model.scorer.predict(rows.inputs()).tolist())


@dataclass(slots=True)
class Jobs:
    """Starts Jobs on one hub.

    Attributes
    ----------
    fits : int
        Models fitted so far: for each run the candidates of its validation and the one that was published.
    """

    hub: ReplayHub
    run: TrainRun
    fits: int = 0

    @property
    def last_seq(self) -> int:
        """Largest ledger number."""
        return len(self.hub.ledger)

    def train_first(self) -> Version:
        """Train version 1 on the source."""
        first = self._train(self.run)
        self.hub.columns = first.model.manifest.columns
        return first

    def train(self, number: int, *, champion: Version, feedback_through: int, changed_after: int | None) -> Version:
        """Train a version on the source and the labels up to a ledger number."""
        return self._train(
            msgspec.structs.replace(
                self.run,
                version=number,
                champion=champion.report.manifest,
                feedback_through=feedback_through,
                changed_after=changed_after,
            )
        )

    def _train(self, run: TrainRun) -> Version:
        report = train(run, self._surroundings())
        self.fits += report.fits
        return Version(run.version, report, run.feedback_through or 0, load_model(self.hub, report.manifest))

    def evaluate(self, candidate: Version, champion: Version | None, fresh: FreshRange | None) -> EvaluationReport:
        """Score a candidate, and the champion where there is one."""
        return score(
            EvaluateRun(
                namespace=self.run.namespace,
                model=self.run.model,
                version=candidate.number,
                hub_url=self.run.hub_url,
                data=self.run.data,
                data_sha256=candidate.report.data_sha256,
                candidate=candidate.report.manifest,
                champion=None if champion is None else champion.report.manifest,
                fresh=fresh,
            ),
            self._surroundings(),
        ).told()

    def _surroundings(self) -> Surroundings:
        return Surroundings(hub=self.hub, mount=NO_MOUNT, progress=Quiet())


def declare(features: tuple[str, ...], target: str, estimator: str, parameters: dict[str, object]) -> TrainRun:
    """Return the run that a ModelDeployment with these fields would ask for."""
    return TrainRun(
        namespace="backtest",
        model="backtest",
        version=1,
        hub_url="",
        data=DataSource(uri=SOURCE_URI, target=target, features=features),
        estimator=estimator,
        parameters=parameters,
    )
