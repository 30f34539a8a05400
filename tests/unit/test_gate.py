"""A version is let through only when it is better."""

from dataclasses import replace
from fractions import Fraction
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evermodel.constraints import GROUP_ROWS, Constraint, CustomDemand, Demands
from evermodel.contract import Measure, Metric, PairedScore, SliceScore
from evermodel.gate import (
    IN_PRODUCTION,
    GateRules,
    Outcome,
    SetName,
    decide,
    level_of_use,
    margin_of,
    margin_p,
    mcnemar_p,
    next_look,
)

RULES = GateRules(threshold=0.92, min_samples=400)
BETTER = PairedScore(rows=400, candidate=0.95, champion=0.90, dummy=0.1, candidate_only=30, champion_only=10)
EQUAL = PairedScore(rows=400, candidate=0.95, champion=0.95, dummy=0.1, candidate_only=10, champion_only=10)
FORGOT = PairedScore(rows=400, candidate=0.5, champion=0.90, dummy=0.1, candidate_only=10, champion_only=170)
FIRST = PairedScore(rows=400, candidate=0.95, dummy=0.1)


def score(base: PairedScore = BETTER, **change: object) -> PairedScore:
    return msgspec.structs.replace(base, **change)


@pytest.mark.parametrize(
    ("reference", "fresh", "after_alarm", "outcome", "decided_on"),
    [
        pytest.param(FIRST, None, False, Outcome.PROMOTE, "reference", id="a first version that meets the threshold"),
        pytest.param(
            score(FIRST, candidate=0.91), None, False, Outcome.REJECT, "reference", id="a first one that misses"
        ),
        pytest.param(
            score(FIRST, dummy=0.96), None, False, Outcome.REJECT, "reference", id="no better than the majority"
        ),
        pytest.param(None, None, False, Outcome.INCONCLUSIVE, None, id="nothing to judge on"),
        pytest.param(BETTER, None, False, Outcome.PROMOTE, "reference", id="clearly better on reference rows"),
        pytest.param(EQUAL, None, False, Outcome.REJECT, "reference", id="equal is not better"),
        pytest.param(score(use=20), None, False, Outcome.REJECT, "reference", id="rows used up need stronger evidence"),
        pytest.param(EQUAL, BETTER, False, Outcome.PROMOTE, "fresh", id="enough fresh rows decide"),
        pytest.param(
            BETTER, score(EQUAL, rows=399), False, Outcome.PROMOTE, "reference", id="too few fresh rows do not"
        ),
        pytest.param(
            BETTER, score(rows=99), True, Outcome.INCONCLUSIVE, None, id="after an alarm reference never decides"
        ),
        pytest.param(
            None,
            score(rows=100, champion=0.6, candidate_only=35, champion_only=2),
            True,
            Outcome.PROMOTE,
            "fresh",
            id="after an alarm a quarter of the rows is enough for what is far better",
        ),
        pytest.param(
            None,
            score(rows=399, champion=0.945, candidate_only=8, champion_only=6),
            True,
            Outcome.INCONCLUSIVE,
            None,
            id="an early look does not believe a gain that the last one would",
        ),
        pytest.param(
            None,
            score(rows=400, champion=0.945, candidate_only=8, champion_only=6),
            True,
            Outcome.PROMOTE,
            "fresh",
            id="the last look believes it",
        ),
        pytest.param(
            None,
            score(EQUAL, rows=399),
            True,
            Outcome.INCONCLUSIVE,
            None,
            id="an early look refuses nothing in doubt",
        ),
        pytest.param(
            None,
            score(rows=100, candidate=0.80, champion=0.93, candidate_only=2, champion_only=15),
            True,
            Outcome.REJECT,
            "fresh",
            id="but what is worse beyond doubt",
        ),
        pytest.param(
            None,
            score(rows=100, candidate=0.05, champion=0.06, dummy=0.5, candidate_only=1, champion_only=2),
            True,
            Outcome.REJECT,
            "fresh",
            id="and what guessing beats by far",
        ),
        pytest.param(None, score(EQUAL), True, Outcome.REJECT, "fresh", id="the last look does"),
        pytest.param(
            None,
            score(rows=400, champion=0.40, candidate=0.88, dummy=0.90, candidate_only=200, champion_only=8),
            True,
            Outcome.PROMOTE,
            "fresh",
            id="a champion that guessing beats binds no successor to being better than that",
        ),
        pytest.param(BETTER, None, True, Outcome.INCONCLUSIVE, None, id="after an alarm no fresh rows, no verdict"),
        pytest.param(
            FORGOT,
            score(champion=0.93, candidate=0.97),
            False,
            Outcome.REJECT,
            "reference",
            id="a candidate that forgot, while the champion holds",
        ),
        pytest.param(
            score(champion=0.93, candidate=0.90, candidate_only=20, champion_only=32),
            score(champion=0.93, candidate=0.95),
            False,
            Outcome.PROMOTE,
            "fresh",
            id="a loss on reference that chance makes binds nobody",
        ),
        pytest.param(
            score(champion=0.97, candidate=0.90, candidate_only=5, champion_only=33),
            score(champion=0.93, candidate=0.99, candidate_only=30, champion_only=6),
            False,
            Outcome.REJECT,
            "reference",
            id="one beyond chance does",
        ),
        pytest.param(
            score(champion=0.97, candidate=0.90, candidate_only=5, champion_only=33),
            score(champion=0.925, candidate=0.997, candidate_only=30, champion_only=1),
            False,
            Outcome.PROMOTE,
            "fresh",
            id="unless the gain in production is larger",
        ),
        pytest.param(
            score(champion=0.6, candidate=0.5),
            score(champion=0.93, candidate=0.97),
            True,
            Outcome.PROMOTE,
            "fresh",
            id="a champion that left the world of reference binds no successor to it",
        ),
        pytest.param(
            score(candidate=0.5),
            score(champion=0.2),
            True,
            Outcome.PROMOTE,
            "fresh",
            id="when the world changed reference is not binding",
        ),
        pytest.param(
            None,
            score(champion=0.70, candidate=0.85, candidate_only=80, champion_only=20),
            True,
            Outcome.PROMOTE,
            "fresh",
            id="a harder world does not freeze the worse model",
        ),
        pytest.param(
            score(champion=0.93, candidate=0.91, candidate_only=40, champion_only=2),
            None,
            False,
            Outcome.REJECT,
            "reference",
            id="below the threshold while the champion meets it",
        ),
    ],
)
def test_verdict(
    *,
    reference: PairedScore | None,
    fresh: PairedScore | None,
    after_alarm: bool,
    outcome: Outcome,
    decided_on: str | None,
) -> None:
    verdict = decide(RULES, reference=reference, fresh=fresh, looks=IN_PRODUCTION if after_alarm else ())
    assert (verdict.outcome, verdict.decided_on) == (outcome, decided_on), verdict.message


def test_a_gain_below_min_absolute_is_not_worth_a_promotion() -> None:
    rules = GateRules(threshold=0.92, min_samples=400, min_absolute=0.06)
    verdict = decide(rules, reference=BETTER, fresh=None)
    assert verdict.outcome is Outcome.REJECT
    assert "minAbsolute 0.06" in verdict.message


RMSE = GateRules(threshold=5.0, min_samples=400, metric=Measure(metric=Metric.RMSE))
CLOSER = PairedScore(rows=400, metric="rmse", candidate=3.0, champion=4.0, dummy=9.0, p=0.001)


@pytest.mark.parametrize(
    ("reference", "fresh", "outcome", "says"),
    [
        pytest.param(CLOSER, None, Outcome.PROMOTE, "rmse 3 on 400 reference rows is better", id="smaller errors"),
        pytest.param(score(CLOSER, p=0.03), None, Outcome.REJECT, "not significantly better", id="no evidence"),
        pytest.param(
            score(CLOSER, candidate=4.5, p=0.0),
            None,
            Outcome.REJECT,
            "not significantly",
            id="larger errors, whatever p",
        ),
        pytest.param(
            score(CLOSER, candidate=6.0, champion=None),
            None,
            Outcome.REJECT,
            "is above the threshold 5.0",
            id="too large",
        ),
        pytest.param(
            score(CLOSER, candidate=6.0, champion=7.0),
            None,
            Outcome.PROMOTE,
            "better than the champion's 7",
            id="too large, but the champion's are larger",
        ),
        pytest.param(
            score(CLOSER, dummy=2.9),
            None,
            Outcome.REJECT,
            "the mean of the training rows alone (2.9)",
            id="the mean errs less",
        ),
        pytest.param(
            score(CLOSER, candidate=5.5),
            CLOSER,
            Outcome.REJECT,
            "1.5 above the champion's 4",
            id="a candidate that forgot",
        ),
        pytest.param(score(CLOSER, candidate=4.01), CLOSER, Outcome.PROMOTE, "fresh rows", id="within the tolerance"),
        pytest.param(
            score(CLOSER, candidate=40.0),
            score(CLOSER, champion=5.1),
            Outcome.PROMOTE,
            "fresh rows",
            id="when the world changed reference is not binding",
        ),
        pytest.param(
            score(CLOSER, metric="mae"), None, Outcome.INCONCLUSIVE, "was scored by mae", id="scores of another metric"
        ),
    ],
)
def test_of_errors_smaller_is_better(
    reference: PairedScore, fresh: PairedScore | None, outcome: Outcome, says: str
) -> None:
    verdict = decide(RMSE, reference=reference, fresh=fresh)
    assert verdict.outcome is outcome, verdict.message
    assert says in verdict.message


@pytest.mark.parametrize("scale", [0.001, 1.0, 1000.0])
@pytest.mark.parametrize(
    ("early", "outcome"),
    [
        pytest.param(
            score(CLOSER, candidate=4.05, p=0.6, champion_p=0.4), Outcome.INCONCLUSIVE, id="worse by what chance makes"
        ),
        pytest.param(score(CLOSER, candidate=4.8, p=0.99, champion_p=0.01), Outcome.REJECT, id="worse beyond doubt"),
        pytest.param(
            score(CLOSER, candidate=9.3, champion=9.2, p=0.6, champion_p=0.4),
            Outcome.INCONCLUSIVE,
            id="beaten by guessing, but by little",
        ),
        pytest.param(
            score(CLOSER, candidate=12.0, champion=12.1, p=0.4, champion_p=0.6),
            Outcome.REJECT,
            id="beaten by guessing by far",
        ),
        pytest.param(score(CLOSER, candidate=3.9, p=0.3, champion_p=0.7), Outcome.INCONCLUSIVE, id="a little better"),
        pytest.param(score(CLOSER, p=0.00001, champion_p=1.0), Outcome.PROMOTE, id="far better"),
    ],
)
def test_the_unit_of_an_error_changes_no_verdict(early: PairedScore, outcome: Outcome, scale: float) -> None:
    champion = early.champion
    assert champion is not None
    scaled = score(
        early, rows=100, candidate=scale * early.candidate, champion=scale * champion, dummy=scale * early.dummy
    )

    verdict = decide(replace(RMSE, threshold=scale * RMSE.threshold), reference=None, fresh=scaled, looks=IN_PRODUCTION)

    assert verdict.outcome is outcome, verdict.message


def test_the_given_p_decides_instead_of_the_rows_that_one_model_got_right_alone() -> None:
    recall = GateRules(threshold=0.9, min_samples=400, metric=Measure(metric=Metric.RECALL, positive_class="fraud"))
    tested = score(BETTER, metric="recall of fraud", p=0.5)
    assert decide(RULES, reference=BETTER, fresh=None).outcome is Outcome.PROMOTE
    verdict = decide(recall, reference=tested, fresh=None)
    assert verdict.outcome is Outcome.REJECT
    assert 'recall of class "fraud" 0.950 on 400 reference rows is not significantly better' in verdict.message


@pytest.mark.parametrize(
    ("metric", "candidate", "says"),
    [
        pytest.param(
            Metric.RECALL,
            0.3,
            'recall of class "fraud" 0.300 on 400 reference rows is no better than guessing "fraud" '
            "at random as often (0.300).",
            id="recall that saying the class often enough has",
        ),
        pytest.param(
            Metric.PRECISION, 0.3, 'no better than always answering "fraud" (0.300).', id="precision of all rows"
        ),
        pytest.param(
            Metric.F1, 0.25, 'no better than always answering "fraud" (0.300).', id="f1 below that of all rows"
        ),
        pytest.param(
            Metric.RECALL,
            0.71,
            'recall of class "fraud" 0.710 on 400 reference rows is below the threshold 0.8.',
            id="a threshold that is missed",
        ),
    ],
)
def test_a_first_version_is_refused_by_the_metric_of_its_class(metric: Metric, candidate: float, says: str) -> None:
    measure = Measure(metric=metric, positive_class="fraud")
    rules = GateRules(threshold=0.8, min_samples=400, metric=measure)
    verdict = decide(rules, reference=score(FIRST, metric=str(measure), candidate=candidate, dummy=0.3), fresh=None)
    assert verdict.outcome is Outcome.REJECT
    assert says in verdict.message


FRAUD = Measure(metric=Metric.RECALL, positive_class="fraud")
LOSS = Measure(metric=Metric.LOG_LOSS)
OLD = SliceScore(column="age", group="above 60", rows=40, candidate=0.85)
MEASURED = score(BETTER, metrics={"recall of fraud": 0.7, "logLoss": 0.3}, slices=(OLD,))


def demanding(*constraints: Constraint, **slice_thresholds: float) -> GateRules:
    return replace(RULES, demands=Demands(constraints=constraints, slice_thresholds=slice_thresholds))


@pytest.mark.parametrize(
    ("rules", "outcome", "says"),
    [
        pytest.param(
            demanding(Constraint(metric=FRAUD, threshold=0.7)), Outcome.PROMOTE, "is better", id="met to the digit"
        ),
        pytest.param(
            demanding(Constraint(metric=FRAUD, threshold=0.8)),
            Outcome.REJECT,
            'recall of class "fraud" 0.700 on 400 reference rows is below 0.8, as evaluation.constraints has it',
            id="too low a score",
        ),
        pytest.param(
            demanding(Constraint(metric=LOSS, threshold=0.3)), Outcome.PROMOTE, "better", id="a loss that will do"
        ),
        pytest.param(
            demanding(Constraint(metric=LOSS, threshold=0.2)),
            Outcome.REJECT,
            "logLoss 0.3 on 400",
            id="too high a loss",
        ),
        pytest.param(
            demanding(Constraint(metric=Measure(metric=Metric.MCC), threshold=0.2)),
            Outcome.REJECT,
            "asks for mcc, which has no value",
            id="what was not measured is not met",
        ),
        pytest.param(demanding(age=0.85), Outcome.PROMOTE, "better", id="a group that will do"),
        pytest.param(
            demanding(age=0.9),
            Outcome.REJECT,
            "accuracy 0.850 on the 40 reference rows whose age is above 60 is below 0.9",
            id="a group that is failed",
        ),
        pytest.param(
            demanding(sex=0.5), Outcome.REJECT, "column 'sex', which is not known", id="a column that is unknown"
        ),
    ],
)
def test_a_better_candidate_has_to_meet_what_is_demanded(rules: GateRules, outcome: Outcome, says: str) -> None:
    verdict = decide(rules, reference=MEASURED, fresh=None)
    assert verdict.outcome is outcome
    assert says in verdict.message
    assert verdict.holdout == 0.95


COSTING = score(BETTER, metrics={"cost": 1234.5})


@pytest.mark.parametrize(
    ("demand", "outcome", "says"),
    [
        pytest.param(CustomDemand(name="cost", lower_is_better=True), Outcome.PROMOTE, "better", id="recorded alone"),
        pytest.param(
            CustomDemand(name="cost", lower_is_better=True, threshold=1234.5),
            Outcome.PROMOTE,
            "better",
            id="a cost met",
        ),
        pytest.param(
            CustomDemand(name="cost", lower_is_better=True, threshold=1000),
            Outcome.REJECT,
            "cost 1,234 on 400 reference rows is above 1000, as evaluation.customMetrics has it",
            id="too high a cost",
        ),
        pytest.param(
            CustomDemand(name="cost", lower_is_better=False, threshold=1000), Outcome.PROMOTE, "better", id="a gain met"
        ),
        pytest.param(
            CustomDemand(name="cost", lower_is_better=False, threshold=2000),
            Outcome.REJECT,
            "is below 2000",
            id="too low",
        ),
        pytest.param(
            CustomDemand(name="other", lower_is_better=False),
            Outcome.REJECT,
            "has other, which was not measured on these 400 reference rows: it was declared after the evaluation",
            id="a metric that was not measured lets nobody through, even without a threshold",
        ),
    ],
)
def test_metrics_of_the_users_own_are_demanded(demand: CustomDemand, outcome: Outcome, says: str) -> None:
    verdict = decide(replace(RULES, demands=Demands(custom=(demand,))), reference=COSTING, fresh=None)
    assert verdict.outcome is outcome
    assert says in verdict.message


def test_a_group_of_a_few_rows_binds_nobody() -> None:
    few = score(MEASURED, slices=(msgspec.structs.replace(OLD, rows=GROUP_ROWS - 1),))
    assert decide(demanding(age=0.9), reference=few, fresh=None).outcome is Outcome.PROMOTE


def test_demands_are_of_the_rows_that_decide() -> None:
    worse = score(MEASURED, metrics={"recall of fraud": 0.1})
    rules = demanding(Constraint(metric=FRAUD, threshold=0.5))
    assert decide(rules, reference=worse, fresh=MEASURED).outcome is Outcome.PROMOTE
    assert decide(rules, reference=MEASURED, fresh=worse).outcome is Outcome.REJECT


@given(st.integers(0, 60), st.integers(0, 60))
def test_p_values_of_both_sides_overlap_in_the_observed_outcome_alone(wins: int, losses: int) -> None:
    both = Fraction(mcnemar_p(wins, losses)) + Fraction(mcnemar_p(losses, wins))
    assert 1 <= both <= 2
    assert mcnemar_p(wins + 1, losses) <= mcnemar_p(wins, losses)


@pytest.mark.parametrize("rows", ["reference", "fresh"])
def test_levels_of_all_uses_sum_to_alpha(rows: SetName) -> None:
    assert sum(level_of_use(0.05, use, rows) for use in range(1, 10_000)) == pytest.approx(0.05, rel=1e-3)


def test_the_looks_of_a_use_spend_its_level_and_no_more() -> None:
    shares = [look.at for look in IN_PRODUCTION]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert sum(look.level for look in IN_PRODUCTION) == pytest.approx(1)


@pytest.mark.parametrize(
    ("threshold", "margin"),
    [
        pytest.param(0.5, 0.03, id="never more than three points"),
        pytest.param(0.92, 0.016, id="a fifth of the wrong answers that the threshold allows"),
        pytest.param(0.999, 0.0002, id="however few these are"),
    ],
)
def test_the_margin_follows_the_threshold(threshold: float, margin: float) -> None:
    assert margin_of(replace(RULES, threshold=threshold)) == pytest.approx(margin)


@pytest.mark.parametrize(
    ("wins", "losses", "rows", "margin", "p"),
    [
        # likeliest share lost, by the roots of Tango's equation worked out by hand
        pytest.param(0, 0, 100, 0.02, 0.0765, id="no row on which they differ"),
        pytest.param(43, 0, 44, 0.1, 0.0, id="a landslide"),
        pytest.param(10, 10, 400, 0.0, 0.5, id="without a margin, McNemar's test of equal counts"),
        pytest.param(0, 0, 400, 0.0, 1.0, id="nothing to tell by"),
    ],
)
def test_p_of_a_margin(wins: int, losses: int, rows: int, margin: float, p: float) -> None:
    assert margin_p(wins, losses, rows, margin) == pytest.approx(p, abs=1e-4)


@given(st.integers(0, 60), st.integers(0, 60), st.floats(0.001, 0.1))
def test_a_wider_margin_is_easier_to_keep_and_so_is_a_larger_lead(wins: int, losses: int, margin: float) -> None:
    p = margin_p(wins, losses, 400, margin)
    assert 0 <= p <= 1
    assert margin_p(wins, losses, 400, margin * 1.1) <= p + 1e-12
    assert margin_p(wins + 1, losses, 400, margin) <= p + 1e-12


@pytest.mark.parametrize(
    ("scored", "rows"),
    [
        pytest.param(0, 100, id="a quarter first"),
        pytest.param(99, 100, id="rows that a model had seen did not count"),
        pytest.param(100, 200, id="then half"),
        pytest.param(399, 400, id="then all"),
        pytest.param(400, 400, id="none after the last"),
    ],
)
def test_looks_are_taken_once_each(scored: int, rows: int) -> None:
    assert next_look(RULES, IN_PRODUCTION, scored) == rows


@pytest.mark.parametrize("disputed", [0.1, 0.2, 0.3])
@pytest.mark.parametrize(
    ("gain", "least", "most"),
    [
        pytest.param(-0.05, 0.0, 0.01, id="five points worse: hardly ever"),
        pytest.param(-0.03, 0.0, 0.05, id="worse by the margin: no more often than 1 - confidence"),
        pytest.param(0.03, 0.5, 1.0, id="three points better: more often than not"),
        pytest.param(0.08, 0.95, 1.0, id="far better: nearly always"),
    ],
)
def test_how_often_production_lets_a_candidate_through(gain: float, least: float, most: float, disputed: float) -> None:
    """``disputed`` of the rows are answered rightly by one of both models alone; a threshold of 0.8 allows 3 points."""
    random, rules = Random(5), replace(RULES, threshold=0.8)
    promoted = sum(_promoted_at_some_look(random, rules, disputed, gain) for _ in range(2000))
    assert least <= promoted / 2000 <= most


def _promoted_at_some_look(random: Random, rules: GateRules, disputed: float, gain: float) -> bool:
    wins = (disputed + gain) / 2 / disputed
    scored = candidate_only = champion_only = 0
    while True:
        rows = next_look(rules, IN_PRODUCTION, scored)
        won = [random.random() < wins for _ in range(rows - scored) if random.random() < disputed]
        before, scored, candidate_only = scored, rows, candidate_only + sum(won)
        champion_only += len(won) - sum(won)
        fresh = score(
            rows=rows,
            champion=0.75,
            candidate=0.75 + (candidate_only - champion_only) / rows,
            candidate_only=candidate_only,
            champion_only=champion_only,
        )
        outcome = decide(rules, reference=None, fresh=fresh, looks=IN_PRODUCTION, scored_before=before).outcome
        if outcome is not Outcome.INCONCLUSIVE:
            return outcome is Outcome.PROMOTE


@given(st.integers(0, 400), st.integers(0, 400), st.integers(1, 30))
def test_never_promotes_what_scored_worse(candidate_only: int, champion_only: int, use: int) -> None:
    gain = (candidate_only - champion_only) / 1000
    reference = PairedScore(
        rows=1000,
        candidate=0.5 + gain,
        champion=0.5,
        dummy=0.0,
        candidate_only=candidate_only,
        champion_only=champion_only,
        use=use,
    )
    verdict = decide(GateRules(threshold=0.1, min_samples=10), reference=reference, fresh=None)
    assert verdict.outcome is Outcome.REJECT or gain > 0
