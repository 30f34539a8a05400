"""ModelDeployment: what a user declares, and what the operator answers in its status."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from msgspec import Meta, field

from evermodel.api.container import Container
from evermodel.api.evaluation import ClassName, Constraint, CustomMetric, EvaluationMetric, Slice
from evermodel.api.fields import CRON, ColumnName, Digest, Duration, Parameters, Quantity, Resource
from evermodel.api.status import (
    CandidateStatus,
    ChampionStatus,
    ConstraintResult,
    LiveStatus,
    ModelDeploymentStatus,
    OfflineStatus,
    Phase,
    RetrainingStatus,
)
from evermodel.api.template import EnvVar, PodTemplate, Resources, Toleration
from evermodel.contract import (
    EnsembleType,
    FileType,
    FoldStrategy,
    SearchAlgorithm,
    Strategy,
    Task,
    Vote,
    WarmStartMode,
)

__all__ = [
    "CandidateStatus",
    "ChampionStatus",
    "ColumnName",
    "Constraint",
    "ConstraintResult",
    "Container",
    "Data",
    "DataFormat",
    "Duration",
    "Ensemble",
    "EnvVar",
    "Epochs",
    "Estimator",
    "Evaluation",
    "EvaluationMetric",
    "Holdout",
    "ImportedModel",
    "Improvement",
    "LiveStatus",
    "Metric",
    "ModelDeploymentSpec",
    "ModelDeploymentStatus",
    "Monitoring",
    "Objective",
    "OfflineStatus",
    "Phase",
    "PodTemplate",
    "Preprocessing",
    "Quantity",
    "Resource",
    "Resources",
    "Retraining",
    "RetrainingData",
    "RetrainingMode",
    "RetrainingStatus",
    "RetrainingTrigger",
    "Search",
    "SecretRef",
    "Serving",
    "Slice",
    "Task",
    "Toleration",
    "TrainData",
    "Training",
    "Transformer",
    "WarmStart",
]


class Metric(StrEnum):
    """What the threshold is about."""

    ACCURACY = "accuracy"
    PRECISION = "precision"
    RECALL = "recall"
    F1 = "f1"
    RMSE = "rmse"
    MAE = "mae"
    MAPE = "mape"


class Objective(Resource, frozen=True, kw_only=True):
    """The quality that the model must keep in production."""

    threshold: Annotated[
        float,
        Meta(
            gt=0,
            description=(
                "The least that the model must keep of accuracy, precision, recall or f1, as a fraction: 0.93, not 93. "
                "Of an error the most that it may reach: rmse and mae in the target's units, mape as a fraction."
            ),
        ),
    ]
    metric: Annotated[
        Metric,
        Meta(
            description=(
                "What is measured: accuracy of a classifier, or precision, recall or f1 of one of its classes; rmse, "
                "mae or mape of a regressor."
            )
        ),
    ] = Metric.ACCURACY
    positive_class: (
        Annotated[
            ClassName, Meta(description="The class that precision, recall or f1 is about, as the target spells it.")
        ]
        | None
    ) = None


class TrainData(Resource, frozen=True, kw_only=True):
    """The file that the model is trained on."""

    uri: Annotated[
        str,
        Meta(
            pattern=(
                r"^(configmap://[a-z0-9.-]+/[A-Za-z0-9._-]+|hub://[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
                r"|pvc://[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9._=,+@:%~ /-]*"
                r'|https?://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?/[!-"$-~]*'
                r"|sklearn://[a-z0-9_]+(\?rows=[0-9]{0,9}:[0-9]{0,9})?)$"
            ),
            max_length=1024,
            description=(
                "CSV with a header row, Parquet, JSON lines or Arrow, plain, gzip or zstd: configmap://NAME/KEY "
                "in the same namespace, hub://NAME for an uploaded file, pvc://CLAIM/PATH for a file or a "
                "folder of files with equal columns, https://HOST/PATH for one on a web server "
                "(http:// where sha256 is declared), or sklearn://NAME (digits, iris, wine, breast_cancer; diabetes "
                "for regression), of which ?rows=START:STOP takes a slice."
            ),
        ),
    ]
    sha256: Digest | None = None
    """Digest that the file must have; another file is refused."""


class SecretRef(Resource, frozen=True, kw_only=True):
    """A Secret of the same namespace."""

    name: Annotated[
        str,
        Meta(
            pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
            max_length=253,
            description="Its keys: token, or username and password; ca.crt, of the server's authority.",
        ),
    ]


class DataFormat(Resource, frozen=True, kw_only=True):
    """How the file is read. What is left out is found from its name and its first bytes; gzip and zstd always are."""

    type: Annotated[FileType, Meta(description="What the file is.")] | None = None
    delimiter: (
        Annotated[
            str,
            Meta(min_length=1, max_length=1, description="What stands between values of CSV, where not , ; tab or |."),
        ]
        | None
    ) = None
    quote: (
        Annotated[
            str,
            Meta(min_length=1, max_length=1, description='What stands around values of CSV that hold it, where not ".'),
        ]
        | None
    ) = None
    encoding: (
        Annotated[
            str,
            Meta(
                pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$",
                max_length=32,
                description="Encoding of CSV as Python names it, such as windows-1252; UTF-8 is found.",
            ),
        ]
        | None
    ) = None


class Holdout(Resource, frozen=True, kw_only=True):
    """The part of the source that is never trained on, chosen by a hash of the row's id (or of the row)."""

    fraction: Annotated[
        float, Meta(ge=0.05, le=0.5, description="Share of the rows held out as the reference set.")
    ] = 0.2


class Data(Resource, frozen=True, kw_only=True):
    """The data and what its columns mean."""

    train: TrainData
    target: Annotated[ColumnName, Meta(description="The column to predict.")]
    features: Annotated[
        tuple[ColumnName, ...],
        Meta(max_length=4096, description="Columns to learn from. Empty: all but target and idColumn."),
    ] = ()
    id_column: Annotated[ColumnName, Meta(description="Column that names a row; it is not learnt from.")] | None = None
    holdout: Holdout = Holdout()
    format: DataFormat = DataFormat()
    credentials_secret_ref: SecretRef | None = None
    """What an https:// source asks for; sent to the declared server alone, also where it redirects to another."""


class Transformer(StrEnum):
    """Preprocessing steps that may be declared, by their scikit-learn class; DateParts is Evermodel's own."""

    COUNT_VECTORIZER = "CountVectorizer"
    DATE_PARTS = "DateParts"
    HASHING_VECTORIZER = "HashingVectorizer"
    K_BINS_DISCRETIZER = "KBinsDiscretizer"
    MAX_ABS_SCALER = "MaxAbsScaler"
    MIN_MAX_SCALER = "MinMaxScaler"
    ONE_HOT_ENCODER = "OneHotEncoder"
    ORDINAL_ENCODER = "OrdinalEncoder"
    PCA = "PCA"
    POLYNOMIAL_FEATURES = "PolynomialFeatures"
    POWER_TRANSFORMER = "PowerTransformer"
    QUANTILE_TRANSFORMER = "QuantileTransformer"
    ROBUST_SCALER = "RobustScaler"
    SELECT_K_BEST = "SelectKBest"
    SIMPLE_IMPUTER = "SimpleImputer"
    STANDARD_SCALER = "StandardScaler"
    TFIDF_VECTORIZER = "TfidfVectorizer"


class Preprocessing(Resource, frozen=True, kw_only=True):
    """One transformer over some columns; columns that no step names pass as they are."""

    transformer: Annotated[
        Transformer,
        Meta(description="A scikit-learn transformer, by class name, or DateParts, which makes numbers of dates."),
    ]
    columns: Annotated[
        tuple[ColumnName, ...],
        Meta(
            min_length=1,
            max_length=4096,
            description=(
                "Columns that it transforms: names, dtype:number, dtype:text or dtype:date for all columns of a kind, "
                "or * for all."
            ),
        ),
    ]
    parameters: Annotated[
        Parameters, Meta(description="Constructor parameters of the transformer, JSON values only.")
    ] = {}


class Estimator(StrEnum):
    """scikit-learn estimators that may be declared: classifiers, then regressors, all that need no other estimators."""

    ADA_BOOST = "AdaBoostClassifier"
    BAGGING = "BaggingClassifier"
    BERNOULLI_NB = "BernoulliNB"
    CALIBRATED_CV = "CalibratedClassifierCV"
    CATEGORICAL_NB = "CategoricalNB"
    COMPLEMENT_NB = "ComplementNB"
    DECISION_TREE = "DecisionTreeClassifier"
    DUMMY = "DummyClassifier"
    EXTRA_TREE = "ExtraTreeClassifier"
    EXTRA_TREES = "ExtraTreesClassifier"
    GAUSSIAN_NB = "GaussianNB"
    GAUSSIAN_PROCESS = "GaussianProcessClassifier"
    GRADIENT_BOOSTING = "GradientBoostingClassifier"
    HIST_GRADIENT_BOOSTING = "HistGradientBoostingClassifier"
    K_NEIGHBORS = "KNeighborsClassifier"
    LABEL_PROPAGATION = "LabelPropagation"
    LABEL_SPREADING = "LabelSpreading"
    LINEAR_DISCRIMINANT = "LinearDiscriminantAnalysis"
    LINEAR_SVC = "LinearSVC"
    LOGISTIC_REGRESSION = "LogisticRegression"
    LOGISTIC_REGRESSION_CV = "LogisticRegressionCV"
    MLP = "MLPClassifier"
    MULTINOMIAL_NB = "MultinomialNB"
    NEAREST_CENTROID = "NearestCentroid"
    NU_SVC = "NuSVC"
    PASSIVE_AGGRESSIVE = "PassiveAggressiveClassifier"
    PERCEPTRON = "Perceptron"
    QUADRATIC_DISCRIMINANT = "QuadraticDiscriminantAnalysis"
    RADIUS_NEIGHBORS = "RadiusNeighborsClassifier"
    RANDOM_FOREST = "RandomForestClassifier"
    RIDGE = "RidgeClassifier"
    RIDGE_CV = "RidgeClassifierCV"
    SGD = "SGDClassifier"
    SVC = "SVC"
    ARD_REGRESSION = "ARDRegression"
    ADA_BOOST_REGRESSOR = "AdaBoostRegressor"
    BAGGING_REGRESSOR = "BaggingRegressor"
    BAYESIAN_RIDGE = "BayesianRidge"
    CCA = "CCA"
    DECISION_TREE_REGRESSOR = "DecisionTreeRegressor"
    DUMMY_REGRESSOR = "DummyRegressor"
    ELASTIC_NET = "ElasticNet"
    ELASTIC_NET_CV = "ElasticNetCV"
    EXTRA_TREE_REGRESSOR = "ExtraTreeRegressor"
    EXTRA_TREES_REGRESSOR = "ExtraTreesRegressor"
    GAMMA_REGRESSOR = "GammaRegressor"
    GAUSSIAN_PROCESS_REGRESSOR = "GaussianProcessRegressor"
    GRADIENT_BOOSTING_REGRESSOR = "GradientBoostingRegressor"
    HIST_GRADIENT_BOOSTING_REGRESSOR = "HistGradientBoostingRegressor"
    HUBER_REGRESSOR = "HuberRegressor"
    ISOTONIC_REGRESSION = "IsotonicRegression"
    K_NEIGHBORS_REGRESSOR = "KNeighborsRegressor"
    KERNEL_RIDGE = "KernelRidge"
    LARS = "Lars"
    LARS_CV = "LarsCV"
    LASSO = "Lasso"
    LASSO_CV = "LassoCV"
    LASSO_LARS = "LassoLars"
    LASSO_LARS_CV = "LassoLarsCV"
    LASSO_LARS_IC = "LassoLarsIC"
    LINEAR_REGRESSION = "LinearRegression"
    LINEAR_SVR = "LinearSVR"
    MLP_REGRESSOR = "MLPRegressor"
    NU_SVR = "NuSVR"
    ORTHOGONAL_MATCHING_PURSUIT = "OrthogonalMatchingPursuit"
    ORTHOGONAL_MATCHING_PURSUIT_CV = "OrthogonalMatchingPursuitCV"
    PLS_CANONICAL = "PLSCanonical"
    PLS_REGRESSION = "PLSRegression"
    PASSIVE_AGGRESSIVE_REGRESSOR = "PassiveAggressiveRegressor"
    POISSON_REGRESSOR = "PoissonRegressor"
    QUANTILE_REGRESSOR = "QuantileRegressor"
    RANSAC_REGRESSOR = "RANSACRegressor"
    RADIUS_NEIGHBORS_REGRESSOR = "RadiusNeighborsRegressor"
    RANDOM_FOREST_REGRESSOR = "RandomForestRegressor"
    RIDGE_REGRESSION = "Ridge"
    RIDGE_REGRESSION_CV = "RidgeCV"
    SGD_REGRESSOR = "SGDRegressor"
    SVR = "SVR"
    THEIL_SEN_REGRESSOR = "TheilSenRegressor"
    TRANSFORMED_TARGET_REGRESSOR = "TransformedTargetRegressor"
    TWEEDIE_REGRESSOR = "TweedieRegressor"


REGRESSORS = tuple(Estimator)[tuple(Estimator).index(Estimator.ARD_REGRESSION) :]
"""The estimators for the task Regression; the others are classifiers."""


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


class Improvement(Resource, frozen=True, kw_only=True):
    """When a candidate counts as better."""

    confidence: Annotated[
        float,
        Meta(ge=0.5, lt=1, description="1 − α of the exact one-sided McNemar test over the life of the held-out rows."),
    ] = 0.95
    min_absolute: Annotated[
        float,
        Meta(
            ge=0,
            description="Smallest gain in the objective's metric worth a promotion; of an error, how much smaller.",
        ),
    ] = 0.0


class Evaluation(Resource, frozen=True, kw_only=True):
    """How a candidate is judged."""

    improvement: Improvement = Improvement()
    reference_tolerance: Annotated[
        float,
        Meta(
            ge=0,
            lt=1,
            description=(
                "How much worse than the champion a candidate may be on reference rows; of an error, as a share of the "
                "threshold."
            ),
        ),
    ] = 0.02
    metrics: Annotated[
        tuple[EvaluationMetric, ...],
        Meta(
            max_length=16,
            description="Metrics to record besides those that always are: all of the task, as means over the classes.",
        ),
    ] = ()
    constraints: Annotated[
        tuple[Constraint, ...], Meta(max_length=16, description="What a candidate must meet besides the objective.")
    ] = ()
    custom_metrics: Annotated[
        tuple[CustomMetric, ...],
        Meta(
            max_length=8,
            description="Metrics that containers of the user's own measure: they get truth and predictions alone.",
        ),
    ] = ()
    slices: Annotated[tuple[Slice, ...], Meta(max_length=8, description="Groups of rows to look at apart.")] = ()


class Serving(Resource, frozen=True, kw_only=True):
    """How the champion is served."""

    replicas: Annotated[int, Meta(ge=0, le=1000, description="Serving pods of the champion.")] = 1
    template: PodTemplate = PodTemplate()


class Offline(Resource, frozen=True, kw_only=True):
    """Score the champion by the clock on labelled production records, which are captured for it. It only alerts."""

    schedule: Annotated[
        str,
        Meta(
            pattern=CRON,
            max_length=128,
            description="When, in UTC: minute, hour, day, month and day of the week as in cron, such as 0 4 * * *.",
        ),
    ]
    samples: Annotated[
        int,
        Meta(
            ge=100,
            le=100_000,
            description="Records that are scored at most, drawn among those predicted since the champion took traffic.",
        ),
    ] = 10_000


class Monitoring(Resource, frozen=True, kw_only=True):
    """How the live metric is watched."""

    interval: Annotated[Duration, Meta(description="How often the hub is asked.")] = "30s"
    window: Annotated[int, Meta(ge=10, le=1_000_000, description="Labelled predictions in the metric shown.")] = 1000
    min_samples: Annotated[
        int,
        Meta(
            ge=10,
            le=1_000_000,
            description=(
                "Labels below which nothing is concluded without an alarm, and needed to judge; after an alarm a "
                "quarter of them is trained on, and the gate looks at a quarter, a half and all."
            ),
        ),
    ] = 400
    tolerance: Annotated[
        float,
        Meta(
            ge=0,
            lt=0.5,
            description=(
                "The detector alarms on a metric below threshold − tolerance; on an error above "
                "threshold × (1 + tolerance), since an error has the target's units."
            ),
        ),
    ] = 0.01
    false_alarm_every: Annotated[
        int, Meta(ge=100, le=1_000_000_000, description="Labels between two false alarms, on average at least.")
    ] = 100_000
    label_delay: Annotated[Duration, Meta(description="How long labels take; younger predictions are not counted.")] = (
        "0s"
    )
    min_coverage: Annotated[
        float, Meta(ge=0, le=1, description="Share of predictions that must be labelled before anything is concluded.")
    ] = 0.0
    offline: Offline | None = None


class RetrainingMode(StrEnum):
    """Who may start a retraining."""

    AUTOMATIC = "Automatic"
    OBSERVE = "Observe"
    MANUAL = "Manual"


class RetrainingTrigger(StrEnum):
    """What may start a retraining by itself."""

    ACCURACY = "Accuracy"
    DATA = "Data"
    SCHEDULE = "Schedule"


class RetrainingData(Resource, frozen=True, kw_only=True):
    """What a retraining learns from besides the source."""

    include_feedback: Annotated[
        bool, Meta(description="Capture requests at the hub and merge those whose label came with the source.")
    ] = False
    max_age: (
        Annotated[
            Duration,
            Meta(description="Leave out records whose prediction was made longer than this before the run began."),
        ]
        | None
    ) = None
    max_share: (
        Annotated[
            float,
            Meta(
                gt=0,
                le=1,
                description=(
                    "Largest share of records among the rows that are learnt from; the newest stay. Below 1, no window "
                    "of records alone is chosen."
                ),
            ),
        ]
        | None
    ) = None
    half_life: (
        Annotated[
            Duration,
            Meta(
                description=(
                    "Time in which the weight of a row halves: the newest record weighs 1, rows of the source as much "
                    "as the oldest record. For estimators whose fit takes sample_weight."
                )
            ),
        ]
        | None
    ) = None

    @property
    def has_rules(self) -> bool:
        """Tell whether records are merged otherwise than all alike."""
        return (self.max_age, self.max_share, self.half_life) != (None, None, None)


class Retraining(Resource, frozen=True, kw_only=True):
    """When and how the model is retrained."""

    mode: Annotated[
        RetrainingMode,
        Meta(
            description="Automatic; Observe: only say what would be done; Manual: by annotation evermodel.dev/retrain."
        ),
    ] = RetrainingMode.AUTOMATIC
    triggers: Annotated[
        tuple[RetrainingTrigger, ...],
        Meta(
            max_length=3,
            description=(
                "What starts a run by itself; all where it is empty. Accuracy: an alarm, and more labels after a "
                "promotion that it led to. Data: new content of a hub:// or configmap:// source, and more labelled "
                "records at any time, as many as minSamples at first. Schedule: the clock."
            ),
        ),
    ] = ()
    schedule: (
        Annotated[
            str,
            Meta(
                pattern=CRON,
                max_length=128,
                description=(
                    "When to train anew whatever the accuracy is, in UTC: minute, hour, day, month and day of the "
                    "week as in cron, such as 0 3 * * mon."
                ),
            ),
        ]
        | None
    ) = None
    cooldown: Annotated[
        Duration,
        Meta(description="Pause after a run before an alarm may start the next; doubles with each failed attempt."),
    ] = "10m"
    max_attempts: Annotated[
        int,
        Meta(
            ge=1,
            le=20,
            description=(
                "Attempts for one request or change before it is left to a person; for one alarm, before pauses in "
                "labels that double."
            ),
        ),
    ] = 3
    strategies: Annotated[
        tuple[Strategy, ...],
        Meta(
            max_length=3,
            description=(
                "What the first, second and third attempt after an alarm does; further ones do as the last. Refit fits "
                "what the champion is on newer data; Tune searches for its parameters again, by training.search or by "
                "a small grid; Ensemble lets the champion's estimator, histogram gradient boosting and a linear model "
                "vote. Empty: Refit."
            ),
        ),
    ] = ()
    data: RetrainingData = RetrainingData()


class ImportedModel(Resource, frozen=True, kw_only=True):
    """A model that there is, taken over as the first version. It is judged on held-out rows as any other."""

    uri: Annotated[
        str,
        Meta(
            pattern=(
                r"^(hub://[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
                r'|https://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?/[!-"$-~]*)$'
            ),
            max_length=1024,
            description="An ONNX file or a skops archive: hub://NAME for an uploaded one, or https://HOST/PATH.",
        ),
    ]
    sha256: Digest
    """Digest that the file must have; another file is refused."""


class ModelDeploymentSpec(Resource, frozen=True, kw_only=True):
    """Declare a model, its data and the quality that it must keep."""

    objective: Objective
    data: Data
    training: Training = Training()
    model: ImportedModel | None = None
    task: Annotated[Task, Meta(description="What is predicted: a class, or a number.")] = Task.CLASSIFICATION
    evaluation: Evaluation = Evaluation()
    serving: Serving = Serving()
    monitoring: Monitoring = Monitoring()
    retraining: Retraining = Retraining()
    revision_history_limit: Annotated[int, Meta(ge=1, le=100, description="Archived and failed versions kept.")] = 10
    version: Annotated[int, Meta(ge=1, description="Serve this version and hold it.")] | None = None
    paused: Annotated[bool, Meta(description="Start no run and change no traffic.")] = False
