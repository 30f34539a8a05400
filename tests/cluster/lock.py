"""One command at a time changes clusters and caches."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from tests.cluster.profiles import cache_root, scratch_root
from tests.cluster.progress import say


@contextmanager
def exclusive() -> Iterator[None]:
    """Hold the cache's lock, which the kernel lets go of however this process ends."""
    root = cache_root()
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another command of this tool to end")
            fcntl.flock(held, fcntl.LOCK_EX)
        shutil.rmtree(scratch_root(), ignore_errors=True)  # what a killed command left half done
        scratch_root().mkdir()
        yield
