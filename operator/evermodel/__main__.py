"""``python -m evermodel``: one replica of the operator."""

from __future__ import annotations

import asyncio
import logging
import sys

from evermodel.kube.errors import KubeError
from evermodel.runtime.edge import WatchEnded
from evermodel.runtime.leader import LeaseLost
from evermodel.runtime.logs import configure_logs
from evermodel.runtime.master_key import MasterKeyError
from evermodel.runtime.operator import run
from evermodel.runtime.settings import SettingsError, read_environment

logger = logging.getLogger("evermodel")


def main() -> int:
    """Run until asked to stop; returns the exit code."""
    configure_logs()
    try:
        asyncio.run(run(read_environment()))
    except (SettingsError, MasterKeyError, LeaseLost, WatchEnded, KubeError) as error:
        logger.error("ending", extra={"error": str(error), "reason": type(error).__name__})  # noqa: TRY400 - no bug
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
