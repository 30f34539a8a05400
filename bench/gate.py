"""How often the gate promotes: equal, worse and better candidates, over twenty uses of the same held-out rows.

And in production, where the gate looks at a quarter, a half and all of ``minSamples`` records: a candidate that is
ahead passes there where the records refute that it is worse by a margin (3 points at this threshold).

Every candidate is scored on the same 400 rows as the champion. Rows differ in difficulty: a share of them is easy or
hopeless for both models alike: that is what correlates two models of one kind.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from pathlib import Path

for source in ("operator", "trainer_image"):
    sys.path.insert(0, str(Path(__file__).parent.parent / source))

from evermodel.contract import PairedScore
from evermodel.gate import IN_PRODUCTION, GateRules, Outcome, decide, margin_of, next_look

ROWS, USES, CHAMPION = 400, 20, 0.85
DISPUTED = 0.4
"""Share of the rows on which the two models answer independently; on the others they agree."""
RULES = GateRules(threshold=0.01, min_samples=ROWS)
PRODUCTION = GateRules(threshold=0.8, min_samples=ROWS)


def compare(random_state: random.Random, champion_right: list[bool], gain: float, use: int) -> Outcome:
    """Score a candidate that is ``gain`` better than the champion in truth, and ask the gate."""
    share = ((CHAMPION + gain) - (1 - DISPUTED) * CHAMPION) / DISPUTED
    candidate_only = champion_only = 0
    for right in champion_right:
        if random_state.random() >= DISPUTED:
            continue
        candidate = random_state.random() < share
        candidate_only += candidate and not right
        champion_only += right and not candidate
    champion = sum(champion_right) / ROWS
    score = PairedScore(
        rows=ROWS,
        champion=champion,
        candidate=champion + (candidate_only - champion_only) / ROWS,
        dummy=0.0,
        candidate_only=candidate_only,
        champion_only=champion_only,
        use=use,
    )
    return decide(RULES, reference=score, fresh=None).outcome


def promoted(seed: int, sequences: int, uses: int, gain: float) -> float:
    """Share of sequences in which any use promoted."""
    count = 0
    for sequence in range(sequences):
        random_state = random.Random(f"{seed}/{sequence}/{gain}")
        champion_right = [random_state.random() < CHAMPION for _ in range(ROWS)]
        outcomes = (compare(random_state, champion_right, gain, use) for use in range(1, uses + 1))
        count += any(outcome is Outcome.PROMOTE for outcome in outcomes)
    return count / sequences


def passes_in_production(random_state: random.Random, gain: float) -> bool:
    """Let production records come until the gate has said what it thinks of a candidate ``gain`` better in truth."""
    share = ((CHAMPION + gain) - (1 - DISPUTED) * CHAMPION) / DISPUTED
    rows = right = candidate_only = champion_only = 0
    while True:
        before, rows = rows, next_look(PRODUCTION, IN_PRODUCTION, rows)
        for _ in range(rows - before):
            champion, disputed = random_state.random() < CHAMPION, random_state.random() < DISPUTED
            candidate = random_state.random() < share if disputed else champion
            right += champion
            candidate_only += candidate and not champion
            champion_only += champion and not candidate
        score = PairedScore(
            rows=rows,
            champion=right / rows,
            candidate=(right + candidate_only - champion_only) / rows,
            dummy=0.0,
            candidate_only=candidate_only,
            champion_only=champion_only,
        )
        verdict = decide(PRODUCTION, reference=None, fresh=score, looks=IN_PRODUCTION, scored_before=before)
        if verdict.outcome is not Outcome.INCONCLUSIVE:
            return verdict.outcome is Outcome.PROMOTE


def promoted_in_production(seed: int, candidates: int, gain: float) -> float:
    """Share of candidates that pass on production records."""
    random_state = random.Random(f"{seed}/production/{gain}")
    return sum(passes_in_production(random_state, gain) for _ in range(candidates)) / candidates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequences", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    figures = {
        "equal_promoted": promoted(options.seed, options.sequences, USES, 0.0),
        "worse_promoted": promoted(options.seed, options.sequences, USES, -0.02),
        "power": promoted(options.seed, options.sequences, 1, 0.05),
        "production_worse_promoted": promoted_in_production(options.seed, options.sequences, -margin_of(PRODUCTION)),
        "production_power": promoted_in_production(options.seed, options.sequences, 0.05),
    }
    print(f"champion {CHAMPION}, {ROWS} rows, {DISPUTED:.0%} disputed, {options.sequences} sequences")
    for gain, uses in ((-0.05, USES), (-0.02, USES), (0.0, USES), (0.02, 1), (0.03, 1), (0.05, 1)):
        share = promoted(options.seed, options.sequences, uses, gain)
        print(f"  candidate {gain:+.2f}, {uses:2d} uses: promoted in {share:7.2%}")
    print(f"production records, margin {margin_of(PRODUCTION):.3f}:")
    for gain in (-0.05, -0.03, -0.02, -0.01, 0.0, 0.01, 0.02, 0.03, 0.05):
        share = promoted_in_production(options.seed, options.sequences, gain)
        print(f"  candidate {gain:+.2f}: promoted in {share:7.2%}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
