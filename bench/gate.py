"""How often the gate promotes: equal, worse and better candidates, over twenty uses of the same held-out rows.

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
from evermodel.gate import GateRules, Outcome, decide

ROWS, USES, CHAMPION = 400, 20, 0.85
DISPUTED = 0.4
"""Share of the rows on which the two models answer independently; on the others they agree."""
RULES = GateRules(threshold=0.01, min_samples=ROWS)


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequences", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    figures = {
        "equal_promoted": promoted(options.seed, options.sequences, USES, 0.0),
        "worse_promoted": promoted(options.seed, options.sequences, USES, -0.02),
        "power": promoted(options.seed, options.sequences, 1, 0.05),
    }
    print(f"champion {CHAMPION}, {ROWS} rows, {DISPUTED:.0%} disputed, {options.sequences} sequences")
    for gain, uses in ((-0.05, USES), (-0.02, USES), (0.0, USES), (0.02, 1), (0.03, 1), (0.05, 1)):
        share = promoted(options.seed, options.sequences, uses, gain)
        print(f"  candidate {gain:+.2f}, {uses:2d} uses: promoted in {share:7.2%}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
