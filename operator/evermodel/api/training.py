"""How a model is made: passes, ensembles, searches and where a training starts."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, field

from evermodel.api.container import Container
from evermodel.api.estimators import Estimator, Preprocessing, Transformer
from evermodel.api.fields import Digest, Duration, Parameters, Resource
from evermodel.api.template import PodTemplate
from evermodel.contract import EnsembleType, FoldStrategy, SearchAlgorithm, Vote, WarmStartMode


class Epochs(Resource, frozen=True, kw_only=True):
    """Train in passes over the rows, each in another order, until they no longer help on rows kept apart for it."""

    max: Annotated[int, Meta(ge=1, le=10_000, description="Passes over the rows, at most.")]
    patience: Annotated[
        int, Meta(ge=1, le=10_000, description="Passes without an improvement after which training stops.")
    ] = 10
    validation_fraction: Annotated[
        float,
        Meta(
            ge=0.05,
            le=0.5,
            description=(
                "Share of the rows to learn from that is kept apart to see whether a pass helped. Held-out rows are "
                "never among them."
            ),
        ),
    ] = 0.1
    min_improvement: Annotated[
        float, Meta(ge=0, lt=1, description="Gain in validation accuracy, or R², that is no improvement.")
    ] = 0.0


class MemberStep(Resource, frozen=True, kw_only=True):
    """One transformer over all columns that the steps of spec.training.preprocessing made."""

    transformer: Annotated[Transformer, Meta(description="A scikit-learn transformer, by class name.")]
    parameters: Annotated[
        Parameters, Meta(description="Constructor parameters of the transformer, JSON values only.")
    ] = {}


class Member(Resource, frozen=True, kw_only=True):
    """One estimator of an ensemble."""

    name: Annotated[
        str,
        Meta(
            pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$",
            max_length=40,
            description="What a search calls it: forest__max_depth is a parameter of the member forest.",
        ),
    ]
    estimator: Annotated[Estimator, Meta(description="A scikit-learn estimator, by class name.")] | None = None
    version: (
        Annotated[
            int | str,
            Meta(
                title="version",
                extra_json_schema={"maxLength": 16},
                description=(
                    "Instead of an estimator: the number of a version that passed its gate, or Champion, the version "
                    "that serves. It takes part as it is, and is not fitted again."
                ),
            ),
        ]
        | None
    ) = None
    parameters: Annotated[
        Parameters, Meta(description="Constructor parameters of the estimator, JSON values only.")
    ] = {}
    preprocessing: Annotated[
        tuple[MemberStep, ...],
        Meta(max_length=8, description="Steps for this member alone, after those of spec.training.preprocessing."),
    ] = ()


class FinalEstimator(Resource, frozen=True, kw_only=True):
    """What learns from the members' answers."""

    estimator: Annotated[Estimator, Meta(description="A scikit-learn estimator, by class name.")]
    parameters: Annotated[
        Parameters, Meta(description="Constructor parameters of the estimator, JSON values only.")
    ] = {}


class Ensemble(Resource, frozen=True, kw_only=True):
    """One model made of several: estimators that vote, that another one learns from, or that see parts of the rows."""

    type: Annotated[
        EnsembleType,
        Meta(
            description=(
                "Voting: the members' answers are put together. Stacking: a final estimator learns from what the "
                "members answer on rows that they were not fitted on. Bagging: one member, fitted on many samples of "
                "the rows."
            )
        ),
    ]
    members: Annotated[tuple[Member, ...], Meta(min_length=1, max_length=16, description="What it is made of.")]
    voting: (
        Annotated[
            Vote,
            Meta(
                description=(
                    "Of a Voting: hard, the class that most members answer; soft, the class of the largest mean "
                    "probability. Without it, soft where all members give probabilities."
                )
            ),
        ]
        | None
    ) = None
    weights: Annotated[
        tuple[Annotated[float, Meta(ge=0)], ...],
        Meta(max_length=16, description="Of a Voting: how much each member counts, in the order of the members."),
    ] = ()
    final_estimator: FinalEstimator | None = None
    folds: (
        Annotated[
            int,
            Meta(
                ge=2,
                le=20,
                description="Of a Stacking: parts of the rows, each answered by members fitted on the others; else 5.",
            ),
        ]
        | None
    ) = None
    parameters: Annotated[
        Parameters,
        Meta(
            description=(
                "Further constructor parameters: n_estimators, max_samples, max_features, bootstrap, "
                "bootstrap_features and oob_score of a Bagging; passthrough and stack_method of a Stacking."
            )
        ),
    ] = {}


CHAMPION = "Champion"
"""What spec.training.warmStart.from calls the version that serves."""


class WarmStart(Resource, frozen=True, kw_only=True):
    """Start the training from a model that there is, instead of from nothing."""

    source: Annotated[
        str,
        Meta(
            pattern=(
                r"^(Champion|hub://[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
                r'|https://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?/[!-"$-~]*)$'
            ),
            max_length=1024,
            description=(
                "Champion, the version that serves; or hub://NAME or https://HOST/PATH of a pipeline as a skops "
                "archive, or of the manifest of another model of the namespace."
            ),
        ),
    ] = field(name="from")
    mode: Annotated[
        WarmStartMode,
        Meta(
            description=(
                "Continue: its weights learn on. Grow: it gets more trees, or wider layers, and learns on. Features: "
                "its transformers and hidden layers stay as they are, under another estimator."
            )
        ),
    ]
    sha256: Digest | None = None
    """Digest of what the address names; another file is refused."""


class Search(Resource, frozen=True, kw_only=True):
    """Find parameters: try settings, score each on rows that it was not fitted on, and take the best."""

    parameters: Annotated[
        dict[str, Any],
        Meta(
            min_length=1,
            max_length=32,
            description=(
                "What to try, by the estimator's parameter: a list of values or, unless the algorithm is Grid, a range "
                "{low: 0.001, high: 10, log: true, int: false}. PCA__n_components, or 0__n_components by the step's "
                "place, is a parameter of the preprocessing; of an ensemble, forest__max_depth is one of the member "
                "forest and final__C one of the final estimator."
            ),
        ),
    ]
    algorithm: Annotated[
        SearchAlgorithm,
        Meta(
            description=(
                "Grid tries all combinations of the values; Random draws maxTrials settings; SuccessiveHalving draws "
                "as many, tries them on few rows, and gives three times the rows to the best third, until all rows; "
                "TPE draws ten, and proposes each further one near the best of those that have ended."
            )
        ),
    ] = SearchAlgorithm.GRID
    max_trials: Annotated[
        int, Meta(ge=1, le=1000, description="Settings that are tried; a Grid with more is refused.")
    ] = 20
    folds: Annotated[int, Meta(ge=2, le=20, description="How often each setting is fitted and scored.")] = 5
    fold_strategy: Annotated[
        FoldStrategy,
        Meta(
            description=(
                "Stratified: every row scores once, each class in equal shares. Temporal: each fold is scored by rows "
                "that come after those fitted on, in the order of the source, for rows that are in order of time."
            )
        ),
    ] = FoldStrategy.STRATIFIED
    parallelism: Annotated[
        int,
        Meta(
            ge=1,
            le=16,
            description=(
                "Pods that make trials at the same time: that of the training Job, and others beside it for which "
                "training.template counts as well."
            ),
        ),
    ] = 1


class Training(Resource, frozen=True, kw_only=True):
    """How the model is made."""

    estimator: (
        Annotated[
            Estimator, Meta(description="A scikit-learn classifier or regressor, by class name; it must fit the task.")
        ]
        | None
    ) = None
    container: (
        Annotated[
            Container,
            Meta(
                description="Makes the model instead of an estimator: reads the rows to learn from in a folder and "
                "writes an ONNX model; see docs/custom-training.md."
            ),
        ]
        | None
    ) = None
    parameters: Annotated[
        Parameters,
        Meta(
            description="Constructor parameters of the estimator, JSON values only; a container finds them in a file."
        ),
    ] = {}
    ensemble: Ensemble | None = None
    preprocessing: Annotated[
        tuple[Preprocessing, ...],
        Meta(
            max_length=32,
            description=(
                "Transformers, in the order in which they apply. Without any, missing values are filled, text is "
                "one-hot encoded, and numbers are scaled unless the estimator is made of trees."
            ),
        ),
    ] = ()
    epochs: Epochs | None = None
    warm_start: WarmStart | None = None
    search: Search | None = None
    deadline: Annotated[Duration, Meta(description="A Job that runs longer fails.")] = "1h"
    pending_deadline: Annotated[Duration, Meta(description="A Job whose pod has not started by then fails.")] = "15m"
    template: PodTemplate = PodTemplate()
