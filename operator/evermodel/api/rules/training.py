"""What a model is made by: an estimator, an ensemble, a container, or another model."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from evermodel.api.modeldeployment import Container, ImportedModel, Search, Training, WarmStart
from evermodel.api.rules.estimators import GOING_ON, GROWING, IN_EPOCHS
from evermodel.api.rules.rule import AT_LEAST_A_SECOND, CONTAINER_RULES, Rule

FIELD_RULES: Mapping[tuple[type[Struct], str], tuple[Rule, ...]] = {
    (WarmStart, "from"): (
        Rule(
            rule=(
                "self == 'Champion' || self.matches('^hub://[A-Za-z0-9][A-Za-z0-9._-]{0,127}$') ||"
                " self.matches('^https://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?/[!-\"$-~]*$')"
            ),
            message="is nothing to start from: write Champion, hub://NAME or https://HOST/PATH",
            instead_of=frozenset({"pattern"}),
        ),
    ),
    (ImportedModel, "uri"): (
        Rule(
            rule=(
                "self.matches('^hub://[A-Za-z0-9][A-Za-z0-9._-]{0,127}$') ||"
                " self.matches('^https://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?/[!-\"$-~]*$')"
            ),
            message="is no place of a model: write hub://NAME or https://HOST/PATH",
            instead_of=frozenset({"pattern"}),
        ),
    ),
    (Training, "deadline"): AT_LEAST_A_SECOND,
    (Training, "pendingDeadline"): AT_LEAST_A_SECOND,
}

STRUCT_RULES: Mapping[type[Struct], tuple[Rule, ...]] = {
    WarmStart: (
        Rule(
            rule="self.from != 'Champion' || !has(self.sha256)",
            message="the champion is another one after each promotion: leave sha256 out",
            field_path=".sha256",
        ),
        Rule(
            rule="self.from == 'Champion' || has(self.sha256)",
            message="a file may change: write its digest, as sha256sum prints it",
            field_path=".sha256",
        ),
    ),
    Container: CONTAINER_RULES,
    Search: (
        Rule(
            rule="self.parallelism <= self.maxTrials",
            message="a trial is made by one pod: lower parallelism to maxTrials, or raise maxTrials",
            field_path=".parallelism",
        ),
    ),
    Training: (
        Rule(
            rule=(
                "!has(self.container) || !(has(self.epochs) || has(self.warmStart) || has(self.search)"
                " || (has(self.preprocessing) && self.preprocessing.size() > 0))"
            ),
            message=(
                "a container takes the columns as they are and fits by itself: leave preprocessing, epochs, warmStart "
                "and search out"
            ),
            field_path=".container",
        ),
        Rule(
            rule="!has(self.ensemble) || !has(self.parameters)",
            message="these are an estimator's: write them at the ensemble's members, or at the ensemble",
            field_path=".parameters",
        ),
        Rule(
            rule="!has(self.ensemble) || !has(self.epochs)",
            message="members of an ensemble learn at once: leave epochs out",
            field_path=".epochs",
        ),
        Rule(
            rule=f"!has(self.epochs) || !has(self.estimator) || self.estimator in {list(IN_EPOCHS)}",
            message=(
                f"only {', '.join(IN_EPOCHS[:-1])} and {IN_EPOCHS[-1]} learn in passes over the rows: "
                "leave epochs out, or choose one of them"
            ),
            field_path=".epochs",
        ),
        Rule(
            rule=(
                "!has(self.warmStart) || self.warmStart.mode != 'Continue' || !has(self.estimator)"
                f" || self.estimator in {list(GOING_ON)}"
            ),
            message=(
                f"only {', '.join(GOING_ON[:-1])} and {GOING_ON[-1]} can learn on from where they are: choose one of "
                "them, or another mode"
            ),
            field_path=".warmStart.mode",
        ),
        Rule(
            rule=(
                "!has(self.warmStart) || self.warmStart.mode != 'Grow' || !has(self.estimator)"
                f" || self.estimator in {list(GROWING)}"
            ),
            message=(
                f"only {', '.join(GROWING[:-1])} and {GROWING[-1]} can be made larger: choose one of them, or another "
                "mode"
            ),
            field_path=".warmStart.mode",
        ),
        Rule(
            rule=(
                "!has(self.warmStart) || self.warmStart.mode != 'Features'"
                " || !has(self.preprocessing) || self.preprocessing.size() == 0"
            ),
            message="the features come from the model that it starts from: leave preprocessing out",
            field_path=".preprocessing",
        ),
        Rule(
            rule="!has(self.search) || !has(self.ensemble) || self.ensemble.members.all(one, !has(one.version))",
            message="members that are earlier versions stay as they are, in no fold of a search: leave search out",
            field_path=".search",
        ),
        Rule(
            rule="!has(self.warmStart) || !has(self.ensemble)",
            message="an ensemble is fitted anew: leave warmStart out, or declare an estimator",
            field_path=".warmStart",
        ),
        Rule(
            rule="!has(self.warmStart) || !has(self.search)",
            message="a search fits anew with each setting: leave search or warmStart out",
            field_path=".search",
        ),
    ),
}
