"""What estimators can do, as far as the API server refuses what they cannot."""

from __future__ import annotations

IN_EPOCHS = (
    "MLPClassifier",
    "MLPRegressor",
    "PassiveAggressiveClassifier",
    "PassiveAggressiveRegressor",
    "Perceptron",
    "SGDClassifier",
    "SGDRegressor",
)
"""Estimators that learn in passes over the rows. Naive Bayes takes rows bit by bit too, but counts each only once."""
GOING_ON = (*IN_EPOCHS, "BernoulliNB", "ComplementNB", "GaussianNB", "MultinomialNB")
"""Estimators that learn on from where they are."""
GROWING = (
    "ExtraTreesClassifier",
    "ExtraTreesRegressor",
    "GradientBoostingClassifier",
    "GradientBoostingRegressor",
    "MLPClassifier",
    "MLPRegressor",
    "RandomForestClassifier",
    "RandomForestRegressor",
)
"""Estimators that can be made larger and keep what they know."""
WITHOUT_WEIGHTS = (
    "ARDRegression",
    "CCA",
    "GaussianProcessClassifier",
    "GaussianProcessRegressor",
    "KNeighborsClassifier",
    "KNeighborsRegressor",
    "LabelPropagation",
    "LabelSpreading",
    "Lars",
    "LarsCV",
    "LassoLars",
    "LassoLarsCV",
    "LassoLarsIC",
    "LinearDiscriminantAnalysis",
    "NearestCentroid",
    "OrthogonalMatchingPursuit",
    "OrthogonalMatchingPursuitCV",
    "PLSCanonical",
    "PLSRegression",
    "PassiveAggressiveClassifier",
    "PassiveAggressiveRegressor",
    "QuadraticDiscriminantAnalysis",
    "RadiusNeighborsClassifier",
    "RadiusNeighborsRegressor",
    "TheilSenRegressor",
    "TransformedTargetRegressor",
)
"""Estimators whose fit takes no sample_weight."""
