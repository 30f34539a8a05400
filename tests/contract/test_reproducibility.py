"""The same declaration and data make the same bytes in two processes that have nothing else in common."""

from __future__ import annotations

import ctypes
import io
import os
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.contract.job_processes import MODEL, Hub, Jobs
from tests.unit.runtime.made_runs import as_csv, make_source, make_table, make_train_run

from evermodel.contract import (
    Ensemble,
    EnsembleType,
    Epochs,
    Member,
    ModelFormat,
    PreprocessingStep,
    Search,
    SearchAlgorithm,
    Task,
    TrainReport,
    WarmStart,
    WarmStartMode,
)

NEW_NAMES = 0x04000000
"""CLONE_NEWUTS of unshare(2): a host name of one's own."""
DIGITS = make_source(uri="sklearn://digits?rows=:400", target="target")
DIABETES = make_source(uri="sklearn://diabetes", target="target")
MIXED = make_source(id_column="id")
MANY = make_source(uri="hub://many.csv")
"""Rows enough for libraries to share sums among threads; words are served by skops, which keeps every bit of them."""
ENCODE = PreprocessingStep(transformer="OneHotEncoder", columns=("colour",))
WORDS = PreprocessingStep(transformer="TfidfVectorizer", columns=("colour",))
SCALE = PreprocessingStep(transformer="StandardScaler", columns=("*",))
PCA = PreprocessingStep(transformer="PCA", columns=("*",), parameters={"n_components": 12})
FOREST = {"n_estimators": 20, "n_jobs": 2}
MEMBERS = (
    Member(name="boosted", estimator="HistGradientBoostingClassifier", parameters={"max_iter": 10}),
    Member(name="linear", estimator="LogisticRegression"),
    Member(name="forest", estimator="RandomForestClassifier", parameters=FOREST),
)
CASES: dict[str, dict[str, Any]] = {
    "a linear model, by skops": {"estimator": "LogisticRegression", "data": MANY, "preprocessing": (WORDS,)},
    "a forest in two threads": {"estimator": "RandomForestClassifier", "parameters": FOREST},
    "histogram gradient boosting": {
        "estimator": "HistGradientBoostingClassifier",
        "parameters": {"max_iter": 9},
        "data": MANY,
    },
    "a perceptron in epochs": {
        "estimator": "MLPClassifier",
        "parameters": {"hidden_layer_sizes": [64]},
        "epochs": Epochs(max=8, patience=8, validation_fraction=0.2, min_improvement=0.0),
    },
    "principal components before a machine": {"estimator": "SVC", "preprocessing": (SCALE, PCA)},
    "neighbours of mixed types, by skops": {
        "estimator": "KNeighborsClassifier",
        "parameters": {"metric": "canberra"},
        "data": MIXED,
        "preprocessing": (ENCODE,),
    },
    "words, by skops": {"estimator": "LogisticRegression", "data": MIXED, "preprocessing": (WORDS,)},
    "a vote": {"estimator": "VotingClassifier", "ensemble": Ensemble(type=EnsembleType.VOTING, members=MEMBERS)},
    "a stack of mixed types": {
        "estimator": "StackingClassifier",
        "data": MIXED,
        "ensemble": Ensemble(type=EnsembleType.STACKING, members=MEMBERS, folds=3),
    },
    "a search by chance": {
        "estimator": "RandomForestClassifier",
        "parameters": {"n_estimators": 10},
        "search": Search(
            parameters={"max_depth": {"low": 2, "high": 20, "int": True}},
            algorithm=SearchAlgorithm.RANDOM,
            max_trials=3,
            folds=3,
        ),
    },
    "a model to learn on from": {
        "estimator": "SGDClassifier",
        "warm_start": WarmStart(mode=WarmStartMode.CONTINUE),
    },
    "a regression": {"estimator": "GradientBoostingRegressor", "data": DIABETES, "task": Task.REGRESSION},
    "a regression by matrices, by skops": {
        "estimator": "BayesianRidge",
        "data": MANY,
        "task": Task.REGRESSION,
        "preprocessing": (WORDS,),
    },
}


def many_rows() -> bytes:
    random = np.random.default_rng(7)
    matrix = random.normal(size=(20_000, 50))
    kinds = matrix[:, :5].sum(axis=1) + random.normal(size=20_000) > 0
    text = io.StringIO()
    rows = np.column_stack([matrix.astype(object), random.choice(["red", "green"], 20_000), kinds.astype(int)])
    names = ",".join([*(f"c{place}" for place in range(50)), "colour", "kind"])
    np.savetxt(text, rows, fmt=["%.3f"] * 50 + ["%s", "%d"], delimiter=",", header=names, comments="")
    return text.getvalue().encode()


def elsewhere() -> None:
    """Take one processor alone, and another host name where that is allowed."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    if ctypes.CDLL(None).unshare(NEW_NAMES) == 0:
        socket.sethostname("elsewhere")


@pytest.fixture
def places(tmp_path: Path) -> tuple[Jobs, Jobs]:
    """Two ways to start a process, that differ in all that must not matter."""
    for name in ("here", "there", "home"):
        (tmp_path / name).mkdir()
    here = {"PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C"}
    there = {"PYTHONHASHSEED": "2", "TZ": "Asia/Kolkata", "LC_ALL": "C.UTF-8", "HOME": str(tmp_path / "home")}
    return (
        Jobs(tmp_path / "here", here, {"cwd": tmp_path / "here"}),
        Jobs(tmp_path / "there", there, {"cwd": "/", "preexec_fn": elsewhere}),
    )


@pytest.mark.parametrize("case", CASES)
def test_two_processes_make_the_same_artifact(case: str, hub: Hub, places: tuple[Jobs, Jobs]) -> None:
    hub.upload("flowers.csv", as_csv(make_table(240)))
    hub.upload("many.csv", many_rows())
    run = make_train_run(**{"model": MODEL, "hub_url": hub.url, "data": DIGITS, **CASES[case]})

    processes = [jobs.start("train", run) for jobs in places]
    one, two = (jobs.ended(process) for jobs, process in zip(places, processes, strict=True))

    assert isinstance(one.report, TrainReport), one.errors
    assert isinstance(two.report, TrainReport), two.errors
    assert hub.manifest(one.report.manifest) == hub.manifest(two.report.manifest)
    if "by skops" in case:
        assert one.report.format is ModelFormat.SKOPS
