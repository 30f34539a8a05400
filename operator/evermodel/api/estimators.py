"""Estimators and transformers of scikit-learn that may be declared."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from evermodel.api.fields import ColumnName, Parameters, Resource


class Transformer(StrEnum):
    """Preprocessing steps that may be declared, by their scikit-learn class; DateParts is Evermodel's own."""

    BINARIZER = "Binarizer"
    COUNT_VECTORIZER = "CountVectorizer"
    DATE_PARTS = "DateParts"
    HASHING_VECTORIZER = "HashingVectorizer"
    K_BINS_DISCRETIZER = "KBinsDiscretizer"
    KNN_IMPUTER = "KNNImputer"
    MAX_ABS_SCALER = "MaxAbsScaler"
    MIN_MAX_SCALER = "MinMaxScaler"
    NORMALIZER = "Normalizer"
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
    TARGET_ENCODER = "TargetEncoder"
    TFIDF_VECTORIZER = "TfidfVectorizer"
    TRUNCATED_SVD = "TruncatedSVD"
    VARIANCE_THRESHOLD = "VarianceThreshold"


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
