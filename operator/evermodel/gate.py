"""Is the candidate better? The only place where a version is let through.

The exact one-sided McNemar test on the rows that exactly one of both models got right (for accuracy; for other metrics
the evaluation Job's paired test), at a level that falls with each use of the same rows, so that all uses together
promote an equal model with probability at most alpha.

Where labels of production decide, they trickle in while an older model answers every request, so the gate looks before
all ``min_samples`` are there: at a quarter and at half of them. Each use's level is divided among its looks, little to
the early ones. An early look refuses only what is worse beyond doubt, which costs no level.

What has to be shown is another thing there. 400 labels show a gain of two points in one case of six, and a world that
moves does not wait: a better candidate that is refused costs as much as a worse one that is taken, and either lasts
until the next run is judged. So a candidate that is ahead passes where the records refute that it is in truth worse by
a margin (``margin_of``): one that is so much worse passes with probability at most alpha, in all looks together, and an
equal one in a fifth to a half of all cases, which costs nothing.

References
----------
McNemar, Q. (1947), "Note on the sampling error of the difference between correlated proportions", Psychometrika 12.
Tango, T. (1998), "Equivalence test and confidence interval for the difference in proportions for the paired-sample
design", Statistics in Medicine 17: the score test of a margin.
The levels alpha/(k(k + 1)) sum to alpha over k = 1, 2, ...; the union bound does the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from math import ceil, comb, erfc, sqrt
from typing import Literal, Protocol

from evermodel import constraints
from evermodel.constraints import NO_DEMANDS, Demands
from evermodel.contract import Measure, Metric, PairedScore, Task

SetName = Literal["reference", "fresh"]
ACCURACY = Measure()


class Outcome(StrEnum):
    """What the gate says."""

    PROMOTE = "Promote"
    REJECT = "Reject"
    INCONCLUSIVE = "Inconclusive"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRules:
    """What the user declared about being better; all figures are in the metric's units."""

    threshold: float
    min_samples: int
    metric: Measure = ACCURACY
    confidence: float = 0.95
    min_absolute: float = 0.0
    reference_tolerance: float = 0.02
    demands: Demands = NO_DEMANDS

    def gain(self, ours: float, over: float) -> float:
        """Return by how much one value is better than another."""
        return self.metric.gain(ours, over)

    def misses(self, value: float, by: float = 0.0) -> bool:
        """Tell whether a value does not meet the threshold, by more than so much."""
        worst = self.threshold + by if self.metric.metric.lower_is_better else self.threshold - by
        return self.gain(value, worst) < 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A time at which a candidate is judged after an alarm."""

    at: float
    """Share of ``min_samples`` that must be there."""
    level: float
    """Share of the use's level that is spent."""


Looks = tuple[Look, ...]
"""In order; their levels sum to 1, and each is taken once (``next_look``), so all looks of a use spend its level."""
IN_PRODUCTION: Looks = (Look(at=0.25, level=0.2), Look(at=0.5, level=0.3), Look(at=1.0, level=0.5))
"""Where production records alone decide: after an alarm, and when a run began because more labels had come."""
MARGIN_SHARE = 0.2
"""Of the wrong answers that the threshold allows: so many more of them are a model that is worse."""
WIDEST_MARGIN = 0.03
CLEAR = 0.05
FIRST_FRESH_USE = 0.9
ONLY_LOOK = Look(at=1.0, level=1.0)
"""Where rows are there already there is one look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The gate's answer, with the figures in a sentence for people."""

    outcome: Outcome
    message: str
    decided_on: SetName | None = None
    holdout: float | None = None
    """The candidate's value of the metric on the set that decided."""


def mcnemar_p(candidate_only: int, champion_only: int) -> float:
    """Probability of at least this many of the discordant rows for the candidate, were both equally good.

    Parameters
    ----------
    candidate_only, champion_only : int
        Rows that only this one of both got right.
    """
    discordant = candidate_only + champion_only
    tail = sum(comb(discordant, wins) for wins in range(candidate_only, discordant + 1))
    return float(Fraction(tail, 2**discordant))


def margin_p(candidate_only: int, champion_only: int, rows: int, margin: float) -> float:
    """Probability of so large a lead of the candidate, were it worse by ``margin``: Tango's score test.

    Parameters
    ----------
    candidate_only, champion_only : int
        Of ``rows``, those that only this one of both got right.
    """
    lead, apart = candidate_only - champion_only, margin * (1 + margin)
    b = candidate_only + champion_only + (2 * rows - lead) * margin
    lost = (b + sqrt(max(b * b - 8 * rows * champion_only * apart, 0.0))) / (4 * rows)  # the likeliest share there
    spread = sqrt(rows * (2 * lost - apart))
    if not spread:  # neither a margin nor a row on which they differ
        return 1.0
    return erfc((lead + rows * margin) / spread / sqrt(2)) / 2


class Counts(Protocol):
    """What tells how probable a lead were by chance."""

    @property
    def candidate_only(self) -> int:
        """Rows that only the candidate got right."""
        ...

    @property
    def champion_only(self) -> int:
        """Rows that only the champion got right."""
        ...

    @property
    def p(self) -> float | None:
        """The probability itself, where the counts do not tell it."""
        ...


def is_clear(score: Counts) -> bool:
    """Tell whether a lead is more than chance makes of two equal models."""
    p = mcnemar_p(score.candidate_only, score.champion_only) if score.p is None else score.p
    return p <= CLEAR


def margin_of(rules: GateRules) -> float:
    """Return by how much a candidate must not be worse, where production records alone decide."""
    return min(MARGIN_SHARE * (1 - rules.threshold), WIDEST_MARGIN)


def level_of_use(alpha: float, use: int, name: SetName = "reference") -> float:
    """Level of the ``use``-th decision on the same rows, from 1; over all uses they sum to ``alpha``.

    Production records decide once as a rule, since every later run learns from them: their first use has nearly all.
    """
    if name == "reference":
        return alpha / (use * (use + 1))
    return alpha * FIRST_FRESH_USE if use == 1 else alpha * (1 - FIRST_FRESH_USE) / (use * (use - 1))


def next_look(rules: GateRules, looks: Looks, scored: int) -> int:
    """Return how many rows the next look needs, when the last one had ``scored`` (0: none yet).

    The caller looks once when so many are there, and asks again with the number that was scored then.
    """
    rows = [ceil(look.at * rules.min_samples) for look in looks]
    return next((needed for needed in rows if needed > scored), rows[-1])


def decide(
    rules: GateRules,
    *,
    reference: PairedScore | None,
    fresh: PairedScore | None,
    looks: Looks = (),
    scored_before: int = 0,
) -> Verdict:
    """Judge a candidate on the rows that may decide.

    Parameters
    ----------
    rules : GateRules
        Threshold and what counts as better.
    reference, fresh : PairedScore or None
        Scores on the rows that are never trained on, and on production records that neither model has seen.
    looks : tuple of Look
        When ``fresh`` alone decides, for the world may have changed. Without any, it decides when it is large enough,
        else ``reference`` does.
    scored_before : int
        Fresh rows that it was judged on the last time, 0 for none: the same look is not taken twice.
    """
    other = next((score.metric for score in (reference, fresh) if score and score.metric != str(rules.metric)), None)
    if other is not None:
        return Verdict(
            outcome=Outcome.INCONCLUSIVE,
            message=f"The objective is {rules.metric} now, and this version was scored by {other}.",
        )
    if looks:
        return _decide_on_fresh(rules, reference, fresh, looks, scored_before)
    if fresh is not None and fresh.rows >= rules.min_samples:
        return _reference_guard(rules, fresh, reference) or _judge(rules, "fresh", fresh)
    if reference is None or reference.rows == 0:
        return Verdict(
            outcome=Outcome.INCONCLUSIVE,
            message="There are no held-out rows to judge the candidate on: raise data.holdout.fraction or add rows.",
        )
    return _judge(rules, "reference", reference)


def _decide_on_fresh(
    rules: GateRules, reference: PairedScore | None, fresh: PairedScore | None, looks: Looks, scored_before: int
) -> Verdict:
    have, needed = fresh.rows if fresh is not None else 0, next_look(rules, looks, scored_before)
    if fresh is None or have < needed:
        return Verdict(
            outcome=Outcome.INCONCLUSIVE,
            message=f"{have} of {needed} fresh labelled records could be scored: too few to judge on.",
        )
    look = next(look for look in reversed(looks) if have >= look.at * rules.min_samples)
    verdict = _reference_guard(rules, fresh, reference) or _judge(rules, "fresh", fresh, look)
    if look is looks[-1] or verdict.outcome is Outcome.PROMOTE or _is_hopeless(rules, fresh):
        return verdict
    return Verdict(outcome=Outcome.INCONCLUSIVE, message=f"So far, {verdict.message}")


def _is_hopeless(rules: GateRules, fresh: PairedScore) -> bool:
    """Tell whether more rows are not worth the wait: it is worse beyond doubt."""
    if fresh.champion is None:
        return False
    return _is_beaten_by_guessing(rules, fresh) or _champions_p(fresh) <= 1 - rules.confidence


def _is_beaten_by_guessing(rules: GateRules, score: PairedScore) -> bool:
    """Tell whether guessing is better by more than chance makes: of an error a share of it, for errors have units."""
    unit = score.dummy if rules.metric.metric.lower_is_better else 1.0
    return rules.gain(score.dummy, over=score.candidate) > unit / sqrt(score.rows)


def _champions_p(score: PairedScore) -> float:
    """Return how probable so large a lead of the champion were by chance."""
    if score.p is None:
        return mcnemar_p(score.champion_only, score.candidate_only)
    return 1.0 if score.champion_p is None else score.champion_p


def _reference_guard(rules: GateRules, fresh: PairedScore, reference: PairedScore | None) -> Verdict | None:
    """Refuse a candidate that forgot: binding only while the champion holds on both sets, else the world changed.

    A loss that chance makes of so few rows binds nobody, nor one that production makes good.
    """
    if reference is None or reference.champion is None or fresh.champion is None:
        return None
    if rules.misses(fresh.champion) or rules.misses(reference.champion, by=rules.reference_tolerance):
        return None
    loss = rules.gain(reference.champion, over=reference.candidate)
    if loss <= max(rules.reference_tolerance, rules.gain(fresh.candidate, over=fresh.champion)):
        return None
    if reference.p is None and mcnemar_p(reference.champion_only, reference.candidate_only) > 1 - rules.confidence:
        return None
    shown = rules.metric.shown
    return Verdict(
        outcome=Outcome.REJECT,
        decided_on="reference",
        holdout=reference.candidate,
        message=(
            f"{rules.metric.told} {shown(reference.candidate)} on {reference.rows} reference rows is {shown(loss)} "
            f"{rules.metric.worse_side} the champion's {shown(reference.champion)}, more than referenceTolerance "
            f"{rules.reference_tolerance}."
        ),
    )


def _judge(rules: GateRules, name: SetName, score: PairedScore, look: Look = ONLY_LOOK) -> Verdict:
    """Let a candidate through that is better and meets all constraints."""
    verdict = _compare(rules, name, score, look)
    if verdict.outcome is not Outcome.PROMOTE:
        return verdict
    unmet = constraints.unknown(rules.demands, name, score) or constraints.missed(
        rules.demands, rules.metric, name, score
    )
    return verdict if unmet is None else replace(verdict, outcome=Outcome.REJECT, message=unmet)


def _compare(rules: GateRules, name: SetName, score: PairedScore, look: Look) -> Verdict:
    shown = rules.metric.shown

    def verdict(outcome: Outcome, why: str) -> Verdict:
        figures = f"{rules.metric.told} {shown(score.candidate)} on {score.rows} {name} rows"
        return Verdict(outcome=outcome, decided_on=name, holdout=score.candidate, message=f"{figures} {why}")

    # A champion that guessing beats in production is left for one that is better, if no better than a guess.
    has_to_beat_guessing = name == "reference" or score.champion is None
    if has_to_beat_guessing and rules.gain(score.candidate, over=score.dummy) <= 0:
        return verdict(Outcome.REJECT, f"is no better than {_guess(rules.metric)} ({shown(score.dummy)}).")
    champion_misses = score.champion is not None and rules.misses(score.champion)
    if rules.misses(score.candidate) and not champion_misses:
        return verdict(Outcome.REJECT, f"is {rules.metric.worse_side} the threshold {rules.threshold}.")
    if score.champion is None:
        return verdict(Outcome.PROMOTE, f"meets the threshold {rules.threshold}.")
    gain = rules.gain(score.candidate, over=score.champion)
    level = look.level * level_of_use(1 - rules.confidence, score.use, name)
    p, null = _p_value(rules, score, look)
    test = f"(p = {p:.2g} against {level:.2g}{null}, use {score.use} of these rows)"
    champions = f"the champion's {shown(score.champion)}"
    if gain <= 0 or p > level:
        return verdict(Outcome.REJECT, f"is not significantly better than {champions} {test}.")
    if gain < rules.min_absolute:
        return verdict(Outcome.REJECT, f"gains {shown(gain)}, less than improvement.minAbsolute {rules.min_absolute}.")
    return verdict(Outcome.PROMOTE, f"is better than {champions} {test}.")


def _guess(measure: Measure) -> str:
    """Name what looks at no feature, which a model must beat."""
    if measure.positive_class is None:
        return _DUMMY[measure.metric.task]
    if measure.metric is Metric.RECALL:  # always answering the class would have all of it
        return f'guessing "{measure.positive_class}" at random as often'
    return f'always answering "{measure.positive_class}"'


def _p_value(rules: GateRules, score: PairedScore, look: Look) -> tuple[float, str]:
    """Return how probable such a lead were by chance alone, and what is meant by that, where it is more than chance."""
    if score.p is not None:  # of metrics that are no share of right rows
        return score.p, ""
    if look is ONLY_LOOK:
        return mcnemar_p(score.candidate_only, score.champion_only), ""
    margin = margin_of(rules)
    p = margin_p(score.candidate_only, score.champion_only, score.rows, margin)
    return p, f" that it is {rules.metric.shown(margin)} worse"


_DUMMY = {Task.CLASSIFICATION: "the most frequent class alone", Task.REGRESSION: "the mean of the training rows alone"}
