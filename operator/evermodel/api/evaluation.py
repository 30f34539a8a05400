"""What is measured of a candidate besides the objective, and what it must meet."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from evermodel.api.container import Container
from evermodel.api.fields import ColumnName, Resource
from evermodel.contract import Average, Metric

ClassName = Annotated[str, Meta(min_length=1, max_length=253)]


class EvaluationMetric(Resource, frozen=True, kw_only=True):
    """A metric, as scikit-learn defines it, and of which classes."""

    metric: Annotated[Metric, Meta(description="What is measured.")]
    average: (
        Annotated[
            Average,
            Meta(description="How precision, recall or f1 of all classes become one number; macro without a class."),
        ]
        | None
    ) = None
    positive_class: (
        Annotated[ClassName, Meta(description="The class that precision, recall, f1, rocAuc or prAuc is about.")] | None
    ) = None


class Constraint(EvaluationMetric, frozen=True, kw_only=True):
    """What a candidate must meet on the rows that decide, whatever the champion does."""

    threshold: Annotated[float, Meta(description="The least value that will do; of logLoss and errors, the largest.")]


class Direction(StrEnum):
    """Which values of a metric are better."""

    MAXIMIZE = "Maximize"
    MINIMIZE = "Minimize"


class CustomMetric(Container, frozen=True, kw_only=True):
    """A metric that a container of the user's own measures on truth and predictions; see docs/custom-metrics.md."""

    name: Annotated[
        str,
        Meta(
            pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$",
            max_length=40,
            description="What records and the report call it; a changed metric wants another name.",
        ),
    ]
    direction: Annotated[Direction, Meta(description="Maximize: larger is better. Minimize: smaller is.")]
    threshold: (
        Annotated[float, Meta(description="The worst value that will do; without one, the metric is only recorded.")]
        | None
    ) = None


class Slice(Resource, frozen=True, kw_only=True):
    """Rows told apart by a column, each group measured on its own."""

    column: Annotated[
        ColumnName,
        Meta(description="A column of the source. Production records hold features alone: others are not known there."),
    ]
    values: Annotated[
        tuple[Annotated[str, Meta(max_length=253)], ...],
        Meta(
            max_length=20, description="Values of a column of text. Empty: the ten most frequent; the others are one."
        ),
    ] = ()
    bins: Annotated[
        int, Meta(ge=2, le=20, description="Groups of about as many rows each that a column of numbers is cut into.")
    ] = 4
    threshold: (
        Annotated[
            float,
            Meta(
                description=(
                    "What the candidate must meet in the objective's metric in every group of at least 30 rows of the "
                    "set that decides."
                )
            ),
        ]
        | None
    ) = None
