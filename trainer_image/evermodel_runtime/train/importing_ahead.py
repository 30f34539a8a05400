"""Import scikit-learn and the exporter while the source is fetched and read: a second that no one has to wait."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

NEEDED = ("evermodel_runtime.train.packing", "evermodel_runtime.train.epochs")
"""What every training needs once it has its rows."""
READ_BY_SCIKIT_LEARN = "sklearn://"
"""Sources that are no file: two threads that import from one package may find each other's modules half made."""


@contextmanager
def importing_ahead(uri: str) -> Iterator[None]:
    """Import in a thread while a source is read; both have ended when this ends, or a Job could end amid an import."""
    if uri.startswith(READ_BY_SCIKIT_LEARN):
        yield
        return
    thread = Thread(target=_import, name="importing ahead", daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def _import() -> None:
    for name in NEEDED:
        importlib.import_module(name)
