"""Work is shared out among as many processors as this process may keep busy."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from evermodel_runtime.data.processors import in_threads, usable_processors


@pytest.mark.parametrize(
    ("files", "processors"),
    [
        pytest.param({"proc/self/cgroup": "0::/\n"}, 4, id="no quota"),
        pytest.param({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, 4, id="v2, unlimited"),
        pytest.param({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "200000 100000\n"}, 2, id="v2, two"),
        pytest.param({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "25000 100000\n"}, 1, id="v2, a quarter"),
        pytest.param(
            {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}, 2, id="v2, one and a half"
        ),
        pytest.param(
            {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "900000 100000\n"}, 4, id="v2, more than there are"
        ),
        pytest.param(
            {
                "proc/self/cgroup": "0::/kubepods/pod1/c1\n",
                "sys/fs/cgroup/kubepods/pod1/cpu.max": "100000 100000\n",
                "sys/fs/cgroup/kubepods/pod1/c1/cpu.max": "max 100000\n",
            },
            1,
            id="v2, the pod is limited",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "4:cpu,cpuacct:/kubepods/pod1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
                "sys/fs/cgroup/cpu/kubepods/pod1/cpu.cfs_quota_us": "300000\n",
                "sys/fs/cgroup/cpu/kubepods/pod1/cpu.cfs_period_us": "100000\n",
            },
            3,
            id="v1 on the node",
        ),
    ],
)
def test_the_processors_are_those_of_the_lowest_quota(
    files: dict[str, str], processors: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)

    assert usable_processors(tmp_path) == processors


def test_pieces_are_done_at_the_same_time_and_kept_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    both = threading.Barrier(2, timeout=60)

    def work(piece: int) -> int:
        both.wait()  # breaks where one thread does all
        return piece

    assert in_threads(work, [3, 1, 2, 0]) == [3, 1, 2, 0]


def test_one_processor_does_all_without_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})

    assert set(in_threads(lambda _: threading.current_thread(), [1, 2, 3])) == {threading.main_thread()}
