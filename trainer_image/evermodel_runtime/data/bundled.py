"""The data sets that scikit-learn bundles, as the bytes of a CSV file, so that they take the path of any other file."""

from __future__ import annotations

import csv
import importlib
import io
import re

import numpy as np

LOADERS = {
    "digits": "load_digits",
    "iris": "load_iris",
    "wine": "load_wine",
    "breast_cancer": "load_breast_cancer",
    "diabetes": "load_diabetes",
}
"""Name in ``sklearn://NAME`` and the function of ``sklearn.datasets`` that loads it."""
SLICE = re.compile(r"(\d*):(\d*)", re.ASCII)
SHUFFLE_SEED = 0
"""Several bundled sets are sorted by class; rows come in one fixed shuffled order, so a slice holds all classes."""


class NoSuchBundledDataError(ValueError):
    """The name or the slice names nothing; the text says what there is."""


def bundled_csv(name: str, rows: str = ":") -> bytes:
    """Render a bundled data set, or a slice of it, as CSV with the target in the column ``target``.

    Parameters
    ----------
    name : str
        One of ``LOADERS``.
    rows : str
        ``START:STOP`` as in Python, each end optional, in the fixed shuffled order.

    Raises
    ------
    NoSuchBundledDataError
        When there is no such data set, or the slice is empty or none.
    """
    if name not in LOADERS:
        raise NoSuchBundledDataError(f"sklearn://{name} is not bundled: choose one of {', '.join(LOADERS)}.")
    bunch = getattr(importlib.import_module("sklearn.datasets"), LOADERS[name])()
    order = np.random.default_rng(SHUFFLE_SEED).permutation(len(bunch.target))
    ends = SLICE.fullmatch(rows)
    if ends is None:
        raise NoSuchBundledDataError(f"rows={rows} is no slice: write START:STOP, such as rows=0:1200.")
    start, stop = ends.groups()
    chosen = order[int(start or 0) : int(stop) if stop else len(order)]
    if not len(chosen):
        raise NoSuchBundledDataError(f"rows={rows} of sklearn://{name} is empty: it has {len(order)} rows.")
    header = [re.sub(r"\W+", "_", str(feature)).strip("_") for feature in bunch.feature_names]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*header, "target"])
    for index in chosen:
        writer.writerow([*(repr(float(value)) for value in bunch.data[index]), int(bunch.target[index])])
    return text.getvalue().encode()
