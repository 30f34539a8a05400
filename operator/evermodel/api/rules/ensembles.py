"""Members of an ensemble, and how they become one model."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from evermodel.api.modeldeployment import Ensemble, Member
from evermodel.api.rules.rule import Rule

FIELD_RULES: Mapping[tuple[type[Struct], str], tuple[Rule, ...]] = {
    (Member, "version"): (
        Rule(
            rule="type(self) == int ? int(self) >= 1 : self == 'Champion'",
            message="write the number of a version, from 1, or Champion",
        ),
    ),
}

STRUCT_RULES: Mapping[type[Struct], tuple[Rule, ...]] = {
    Member: (
        Rule(
            rule="has(self.estimator) != has(self.version)",
            message="a member is an estimator or an earlier version: declare one of the two",
            field_path=".estimator",
        ),
        Rule(
            rule=(
                "!has(self.version) || !(has(self.parameters)"
                " || (has(self.preprocessing) && self.preprocessing.size() > 0))"
            ),
            message="an earlier version takes part as it is: leave parameters and preprocessing out",
            field_path=".version",
        ),
    ),
    Ensemble: (
        Rule(
            rule="self.type != 'Bagging' || self.members.all(one, !has(one.version))",
            message="a Bagging fits its member many times, and an earlier version stays as it is: choose an estimator",
            field_path=".members",
        ),
        Rule(
            rule="self.type == 'Bagging' ? self.members.size() == 1 : self.members.size() > 1",
            message="a Bagging has one member, fitted on many samples of the rows; Voting and Stacking have several",
            field_path=".members",
        ),
        Rule(
            rule="self.type == 'Voting' || !has(self.voting)",
            message="only a Voting votes: leave voting out, or set the type to Voting",
            field_path=".voting",
        ),
        Rule(
            rule="!has(self.weights) || (self.type == 'Voting' && self.weights.size() == self.members.size())",
            message="members of a Voting have weights, one each: write as many as there are members",
            field_path=".weights",
        ),
        Rule(
            rule="self.type == 'Stacking' || !has(self.finalEstimator)",
            message="only a Stacking has one: leave finalEstimator out, or set the type to Stacking",
            field_path=".finalEstimator",
        ),
        Rule(
            rule="self.type == 'Stacking' || !has(self.folds)",
            message="only a Stacking divides the rows: leave folds out, or set the type to Stacking",
            field_path=".folds",
        ),
        Rule(
            rule="self.type != 'Voting' || !has(self.parameters)",
            message="a Voting has no others: write parameters at its members",
            field_path=".parameters",
        ),
    ),
}
