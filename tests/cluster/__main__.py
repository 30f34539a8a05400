"""Entry of `python3 tests/cluster` and `python3 -m tests.cluster`."""

import importlib
import sys
from pathlib import Path

if __name__ == "__main__":
    # Run by its folder, the tool is no package yet: make it one, so that both ways behave the same.
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    sys.exit(importlib.import_module("tests.cluster.cli").main())
