"""Tasks, metrics, and one number that says how good a model is."""

from __future__ import annotations

from enum import StrEnum

from evermodel.contract.message import Message


class Task(StrEnum):
    """What kind of answer the model gives."""

    CLASSIFICATION = "Classification"
    REGRESSION = "Regression"


class Metric(StrEnum):
    """How well a model does, in one number."""

    ACCURACY = "accuracy"
    BALANCED_ACCURACY = "balancedAccuracy"
    PRECISION = "precision"
    RECALL = "recall"
    F1 = "f1"
    ROC_AUC = "rocAuc"
    PR_AUC = "prAuc"
    LOG_LOSS = "logLoss"
    MCC = "mcc"
    RMSE = "rmse"
    MAE = "mae"
    MAPE = "mape"
    R2 = "r2"

    @property
    def task(self) -> Task:
        """The task that it measures."""
        return Task.REGRESSION if self in _OF_REGRESSION else Task.CLASSIFICATION

    @property
    def lower_is_better(self) -> bool:
        """Tell whether it measures errors: 0 is then the best."""
        return self in _ERRORS


_OF_REGRESSION = frozenset({Metric.RMSE, Metric.MAE, Metric.MAPE, Metric.R2})


_ERRORS = frozenset({Metric.LOG_LOSS, Metric.RMSE, Metric.MAE, Metric.MAPE})


class Average(StrEnum):
    """How precision, recall or f1 of all classes become one number, as scikit-learn names it."""

    MACRO = "macro"
    MICRO = "micro"
    WEIGHTED = "weighted"


class Measure(Message, frozen=True, kw_only=True):
    """A metric, and of which classes."""

    metric: Metric = Metric.ACCURACY
    average: Average | None = None
    """Of precision, recall and f1: macro where neither this nor a class is given."""
    positive_class: str | None = None
    """The class that precision, recall, f1, rocAuc or prAuc is about, as ``label_text`` spells it."""

    def __str__(self) -> str:
        """Spell it as records and messages do: recall, recall (weighted), recall of fraud."""
        if self.positive_class is not None:
            return f"{self.metric} of {self.positive_class}"
        return self.metric.value if self.average in {None, Average.MACRO} else f"{self.metric} ({self.average})"

    @property
    def told(self) -> str:
        """Name it in a sentence, where a class such as 0 would be taken for a figure: recall of class "0"."""
        return str(self) if self.positive_class is None else f'{self.metric} of class "{self.positive_class}"'

    def gain(self, ours: float, over: float) -> float:
        """Return by how much one value is better than another: the one place where metrics of errors are turned."""
        return over - ours if self.metric.lower_is_better else ours - over

    @property
    def worse_side(self) -> str:
        """The word for where worse values are."""
        return "above" if self.metric.lower_is_better else "below"

    def shown(self, value: float) -> str:
        """Write a value for people: a score to three decimals, an error in the target's units to four digits."""
        return f"{value:,.4g}" if self.metric.lower_is_better else f"{value:.3f}"
