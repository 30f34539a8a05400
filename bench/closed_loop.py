"""Replay a labelled stream through the real train, gate and detector code, without a cluster.

``bench/closed_loop.py FILE.csv [--target COLUMN]`` takes any stream; without a file it takes the generated ones, whose
worlds change abruptly, gradually, back and forth, or not at all, with and without label noise. The same code is
``evermodel-runtime backtest``.

Pace, looks and gate are those of the operator, but for time: a stream of labels has no clock, so
``retraining.cooldown`` is left out, and Jobs end before the next batch.
"""

from __future__ import annotations

import sys
from pathlib import Path

for source in ("operator", "trainer_image"):
    sys.path.insert(0, str(Path(__file__).parent.parent / source))

from evermodel_runtime.backtest import main

if __name__ == "__main__":
    raise SystemExit(main())
