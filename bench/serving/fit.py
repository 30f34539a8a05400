"""Fit the benchmark's model as the compared servers load it: run by each server's own Python.

python fit.py ESTIMATOR FOLDER    writes FOLDER/model.joblib
"""

import sys
from pathlib import Path

import joblib
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

ESTIMATORS = {
    "LogisticRegression": make_pipeline(StandardScaler(), LogisticRegression()),
    "RandomForestClassifier": RandomForestClassifier(n_estimators=100, random_state=0),
}

name, folder = sys.argv[1:]
features, target = load_breast_cancer(return_X_y=True)
joblib.dump(ESTIMATORS[name].fit(features, target), Path(folder) / "model.joblib")
