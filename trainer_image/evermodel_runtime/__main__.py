"""``evermodel-runtime COMMAND``: the entry points of the one runtime image."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence

COMMANDS = {
    "train": ("evermodel_runtime.train", "fit, export and publish one version (a Job)"),
    "evaluate": ("evermodel_runtime.evaluate", "score a candidate and the champion on held-out rows (a Job)"),
    "serve": ("evermodel_runtime.serve", "answer predictions over HTTP"),
    "hub": ("evermodel_runtime.hub", "keep artifacts, labels and counts of a namespace"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one entry point, importing only what it needs; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="evermodel-runtime", description="What runs in Evermodel's pods; the environment says the rest."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (_, purpose) in COMMANDS.items():
        commands.add_parser(name, help=purpose)
    package, _ = COMMANDS[parser.parse_args(arguments).command]
    exit_code: int = importlib.import_module(package).main()
    return exit_code


if __name__ == "__main__":
    raise SystemExit(main())
