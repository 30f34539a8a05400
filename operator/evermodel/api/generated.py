"""Files that are made from the types: written, or compared with what is there."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]


def stale(files: Mapping[Path, str], root: Path) -> list[Path]:
    """Return the files that are missing or differ from what the types say."""
    return [
        path for path, text in files.items() if not (root / path).exists() or (root / path).read_text("utf-8") != text
    ]


def main(command: str, files: Mapping[Path, str], arguments: Sequence[str] | None = None) -> int:
    """Write the files, or with --check tell which are out of date; return the exit code."""
    parser = argparse.ArgumentParser(prog=command, description="Write the files that are made from the types.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file is out of date")
    parser.add_argument("--root", type=Path, default=CHECKOUT, help="the checkout (default: the one this runs from)")
    options = parser.parse_args(arguments)
    outdated = stale(files, options.root)
    if options.check:
        for path in outdated:
            sys.stderr.write(f"{path} is out of date: run `{command}`\n")
        return 1 if outdated else 0
    for path in outdated:
        (options.root / path).parent.mkdir(parents=True, exist_ok=True)
        (options.root / path).write_text(files[path], encoding="utf-8")
    return 0
