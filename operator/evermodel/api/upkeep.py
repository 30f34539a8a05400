"""How a model is watched, and when it is made anew."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from evermodel.api.fields import CRON, ColumnName, Duration, Resource
from evermodel.contract import CallerIds, Strategy


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


class DriftRules(Resource, frozen=True, kw_only=True):
    """How what comes in is compared with what the champion learnt from. It needs no labels, and only alerts."""

    threshold: Annotated[
        float,
        Meta(
            gt=0,
            le=100,
            description=(
                "Population stability index from which a column has drifted, in two consecutive windows. What chance "
                "makes of few rows is never drift, whatever the threshold."
            ),
        ),
    ] = 0.2
    window: Annotated[
        Duration,
        Meta(
            description=(
                "Length of a window, from 1m to 336h; one with fewer than minSamples rows reaches further back. In "
                "less than a day, nights are other worlds than days."
            )
        ),
    ] = "24h"
    min_samples: Annotated[int, Meta(ge=100, le=1_000_000, description="Rows that a window has at least.")] = 1000


class CaptureRules(Resource, frozen=True, kw_only=True):
    """Which rows of requests the hub keeps, what of them, and how long. Declared, even empty, it has them captured."""

    sample: Annotated[
        float,
        Meta(gt=0, le=1, description="Share of the rows that is captured, drawn at random."),
    ] = 1.0
    drop: Annotated[
        tuple[ColumnName, ...],
        Meta(max_length=32, description="Columns of the model whose values never leave the pod."),
    ] = ()
    hash: Annotated[
        tuple[ColumnName, ...],
        Meta(
            max_length=32,
            description=(
                "Columns of the model whose values leave the pod as a keyed hash alone: equal values stay equal, and "
                "nobody without the hub's key can try which value it was."
            ),
        ),
    ] = ()
    max_age: Annotated[
        Duration, Meta(description="How long after its prediction a row is kept, such as 720h, which are 30 days.")
    ] = "720h"
    max_records: Annotated[int, Meta(ge=100, le=200_000, description="Rows kept; the oldest go first.")] = 200_000
    caller_ids: Annotated[
        CallerIds,
        Meta(
            description=(
                "Accept: labels, and erasing, by ids that callers gave their rows, too. Such ids can be guessed: "
                "whoever reaches the model's URL and knows one can label and erase. Ignore: by issued ids alone."
            )
        ),
    ] = CallerIds.IGNORE


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
    drift: DriftRules = DriftRules()
    capture: CaptureRules | None = None


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
    DRIFT = "Drift"


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


class Online(Resource, frozen=True, kw_only=True):
    """Let the version that serves learn on from new labelled records alone, between whole runs."""

    min_records: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000_000,
            description=(
                "Labelled records that no run has learnt from and that call for an update; half as many again after "
                "each that gave no better model."
            ),
        ),
    ] = 100
    min_interval: Annotated[
        Duration,
        Meta(
            description=(
                "Pause after a run before an update may start; doubles with each that gave no better model, as often "
                "as maxAttempts."
            )
        ),
    ] = "1h"


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
            max_length=4,
            description=(
                "What starts a run by itself; all but Drift where it is empty. Accuracy: an alarm, and more labels "
                "after a promotion that it led to. Data: new content of a hub:// or configmap:// source, and more "
                "labelled records at any time, as many as minSamples at first. Schedule: the clock. Drift: columns "
                "that drift, once until they no longer do."
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
    online: Online | None = None
