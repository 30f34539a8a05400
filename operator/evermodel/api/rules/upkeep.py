"""What watches a model, and what trains it anew."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from evermodel.api.modeldeployment import (
    CaptureRules,
    DriftRules,
    Monitoring,
    Offline,
    Online,
    Retraining,
    RetrainingData,
)
from evermodel.api.rules.rule import AT_LEAST_A_SECOND, BOUNDS, IS_DURATION, IS_SCHEDULE, IS_WINDOW, Rule

FIELD_RULES: Mapping[tuple[type[Struct], str], tuple[Rule, ...]] = {
    (Monitoring, "interval"): AT_LEAST_A_SECOND,
    (Monitoring, "labelDelay"): (IS_DURATION,),
    (Offline, "schedule"): (IS_SCHEDULE,),
    (DriftRules, "window"): IS_WINDOW,
    (CaptureRules, "maxAge"): AT_LEAST_A_SECOND,
    (CaptureRules, "sample"): (
        Rule(rule="self > 0.0 && self <= 1.0", message="must be above 0 and at most 1", instead_of=BOUNDS),
    ),
    (Retraining, "cooldown"): AT_LEAST_A_SECOND,
    (Online, "minInterval"): AT_LEAST_A_SECOND,
    (RetrainingData, "maxAge"): AT_LEAST_A_SECOND,
    (RetrainingData, "halfLife"): AT_LEAST_A_SECOND,
    (RetrainingData, "maxShare"): (
        Rule(rule="self > 0.0 && self <= 1.0", message="must be above 0 and at most 1", instead_of=BOUNDS),
    ),
    (Retraining, "schedule"): (IS_SCHEDULE,),
}

STRUCT_RULES: Mapping[type[Struct], tuple[Rule, ...]] = {
    CaptureRules: (
        Rule(
            rule="!has(self.drop) || !has(self.hash) || !self.drop.exists(one, one in self.hash)",
            message="has a column that is in drop as well: a value that is left out has no hash",
            field_path=".hash",
        ),
        Rule(
            rule="self.callerIds != 'Accept' || self.sample == 1.0",
            message="must be 1 where callerIds is Accept: by a caller's own id only a captured row is found",
            field_path=".sample",
        ),
    ),
    Retraining: (
        Rule(
            rule="!has(self.triggers) || !('Schedule' in self.triggers) || has(self.schedule)",
            message="triggers names Schedule: say when, such as 0 3 * * mon",
            field_path=".schedule",
        ),
        Rule(
            rule=(
                "!has(self.schedule) || !has(self.triggers) || self.triggers.size() == 0 || 'Schedule' in self.triggers"
            ),
            message="starts nothing as long as triggers does not name it: write triggers: [Accuracy, Schedule]",
            field_path=".schedule",
        ),
        Rule(
            rule="!has(self.data.halfLife) || !has(self.strategies) || !('Ensemble' in self.strategies)",
            message="Ensemble adds members that cannot weigh rows: leave it out, or data.halfLife",
            field_path=".strategies",
        ),
        Rule(
            rule="!has(self.online) || self.data.includeFeedback",
            message="learns from records of production: set data.includeFeedback to true, or leave it out",
            field_path=".online",
        ),
        Rule(
            rule="!has(self.online) || !(has(self.data.maxAge) || has(self.data.maxShare) || has(self.data.halfLife))",
            message="takes each new record once, as it is: leave data.maxAge, maxShare and halfLife out, or online",
            field_path=".online",
        ),
        Rule(
            rule="!has(self.online) || !has(self.strategies) || !('Ensemble' in self.strategies)",
            message="Ensemble makes a vote, which cannot learn on: leave it out, or online",
            field_path=".strategies",
        ),
    ),
    RetrainingData: tuple(
        Rule(
            rule=f"!has(self.{name}) || self.includeFeedback",
            message="is about records of production: set includeFeedback to true, or leave it out",
            field_path=f".{name}",
        )
        for name in ("maxAge", "maxShare", "halfLife")
    ),
}
