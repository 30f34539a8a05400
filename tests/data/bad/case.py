"""One bad data set: how it is made, how it is declared, and what has to be said about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from tests.data.bad.good_table import CSV

from evermodel.contract import DataSource, FailureReason, TrainRun
from evermodel.gate import Outcome

MODEL = "bad"
Recipe = Callable[[], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class BadData:
    """A file and its declaration.

    Attributes
    ----------
    ends : FailureReason or Outcome
        Why the training Job fails; or what the gate says, where training cannot know that the data are no good.
    says : tuple of str
        Parts of the message: the column, the row, and what to do.
    make : callable
        Makes the file.
    file : str
        Its name in the hub.
    source : dict
        Fields of the DataSource that are not ``target: class``.
    run : dict
        Fields of the TrainRun.
    """

    name: str
    ends: FailureReason | Outcome
    says: tuple[str, ...]
    make: Recipe = lambda: CSV
    file: str = "rows.csv"
    source: dict[str, Any] = field(default_factory=dict)
    run: dict[str, Any] = field(default_factory=dict)

    def train_run(self, hub_url: str = "http://hub.invalid", model: str = MODEL) -> TrainRun:
        """Return the run that an operator would start."""
        source = DataSource(uri=f"hub://{self.file}", target="class")
        run = TrainRun(
            namespace="team",
            model=model,
            version=1,
            hub_url=hub_url,
            data=msgspec.structs.replace(source, **self.source),
            estimator="LogisticRegression",
        )
        return msgspec.structs.replace(run, **self.run)


def invalid(name: str, make: Recipe, *says: str, **declared: Any) -> BadData:
    """Return a file that is at fault."""
    return BadData(name=name, ends=FailureReason.DATA_INVALID, says=says, make=make, **declared)


def undeclarable(name: str, *says: str, **declared: Any) -> BadData:
    """Return a declaration that does not go with a file."""
    return BadData(name=name, ends=FailureReason.SPEC_INVALID, says=says, **declared)


def rejected(name: str, make: Recipe, *says: str, **declared: Any) -> BadData:
    """Return a file from which nothing can be learnt, which only the gate can see."""
    return BadData(name=name, ends=Outcome.REJECT, says=says, make=make, **declared)
