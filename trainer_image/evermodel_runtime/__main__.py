"""``evermodel-runtime COMMAND``: the entry points of the one runtime image."""

from __future__ import annotations

import argparse
import gc
import importlib
from collections.abc import Sequence

COMMANDS = {
    "train": ("evermodel_runtime.train", "fit, export and publish one version (a Job)"),
    "search": ("evermodel_runtime.train.worker", "make trials of a search that a training Job leads (a Job)"),
    "prepare": ("evermodel_runtime.custom.prepare", "write the rows to learn from for a container of the user's own"),
    "publish": ("evermodel_runtime.custom.publish", "check and publish the model that such a container wrote"),
    "predict": ("evermodel_runtime.evaluate.predict", "write truth and predictions for containers that measure them"),
    "evaluate": ("evermodel_runtime.evaluate", "score a candidate and the champion on held-out rows (a Job)"),
    "offline": ("evermodel_runtime.evaluate.offline", "score the champion on labelled production records (a Job)"),
    "serve": ("evermodel_runtime.serve", "answer predictions over HTTP"),
    "hub": ("evermodel_runtime.hub", "keep artifacts, labels and counts of a namespace"),
}
WITH_ARGUMENTS = {
    "backtest": (
        "evermodel_runtime.backtest",
        "replay a labelled stream through training, gate and detector, without a cluster",
    ),
    "hub-backup": ("evermodel_runtime.hub.backup_command", "copy a hub's volume to a file, while the hub works"),
    "hub-restore": ("evermodel_runtime.hub.restore_command", "fill a hub's empty volume from such a file"),
}
"""Those for people, which tell about their arguments themselves."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one entry point, importing only what it needs; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="evermodel-runtime",
        description=f"What runs in Evermodel's pods; the environment says the rest but for {', '.join(WITH_ARGUMENTS)}",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (_, purpose) in COMMANDS.items():
        commands.add_parser(name, help=purpose)
    for name, (_, purpose) in WITH_ARGUMENTS.items():
        commands.add_parser(name, add_help=False, help=purpose)
    options, rest = parser.parse_known_args(arguments)
    if options.command in WITH_ARGUMENTS:
        return _run(WITH_ARGUMENTS[options.command][0], rest)
    if rest:
        parser.error(f"{options.command} takes no arguments, but was given {' '.join(rest)}")
    return _run(COMMANDS[options.command][0])


def _run(package: str, *arguments: Sequence[str]) -> int:
    exit_code: int = importlib.import_module(package).main(*arguments)
    gc.freeze()  # or the end of the process looks through all that scikit-learn is made of: a third of a second
    return exit_code


if __name__ == "__main__":
    raise SystemExit(main())
