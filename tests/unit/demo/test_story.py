"""How stages are waited for, against a kubectl that prints one look at the cluster after another."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pytest
from tests.demo import story as story_module
from tests.demo.camera import Camera
from tests.demo.clusters import Images
from tests.demo.commands import Kubectl
from tests.demo.errors import DemoError
from tests.demo.journal import Journal
from tests.demo.stages import Listing, Predicate, Snapshot, Stage, has_fallen, is_alarmed, is_healthy
from tests.demo.story import Story
from tests.unit.demo.snapshots import COLLECTING, SERVING, condition, live, make_snapshot

from evermodel.api.conditions import ConditionStatus, ConditionType, Reason

SCRIPT = """
for word in "$@"; do [ "$word" = json ] && wants=json; done
[ "${wants:-}" = json ] || { echo "NAME READY"; exit; }
first="$(ls "$LOOKS" | sort | head -1)"
cat "$LOOKS/$first"
[ "$(ls "$LOOKS" | wc -l)" = 1 ] || rm "$LOOKS/$first"
"""


@dataclass(frozen=True, slots=True)
class RecordedCluster:
    """Looks at a cluster, recorded: each is shown once, the last for ever."""

    kubectl: Kubectl

    async def start(self) -> None: ...

    async def load_images(self) -> Images:
        return {}

    async def install_operator(self, images: Images) -> None: ...


def make_story(folder: Path, looks: Sequence[Snapshot]) -> Story:
    shown = folder / "looks"
    shown.mkdir()
    for number, look in enumerate(looks):
        listing = Listing(items=[look.model, *look.versions])
        (shown / f"{number:03}").write_bytes(msgspec.json.encode(listing))
    script = folder / "kubectl.sh"
    script.write_text(f"LOOKS={shown}\n{SCRIPT}")
    camera = Camera(np.zeros((1, 8, 8)), np.zeros(1, dtype=np.int64), np.random.default_rng(0))
    kubectl = Kubectl(program=("sh", script), kubeconfig="/nowhere")
    return Story(cluster=RecordedCluster(kubectl), camera=camera, journal=Journal())


def stage(name: str, seen: Predicate, within: float = 60) -> Stage:
    return Stage(name=name, what=f"it is {name}", seen=seen, within=within, look="describe model digits")


@pytest.fixture(autouse=True)
def _looks_follow_each_other_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(story_module, "LOOK_EVERY", 0.0)


FELL = make_snapshot(live=live(0.5))
ALARMED = make_snapshot(live=live(0.4), conditions=(SERVING, COLLECTING))


async def test_stages_are_waited_for_in_order_and_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    story = make_story(tmp_path, [make_snapshot(live=None), make_snapshot(), make_snapshot(), FELL, ALARMED])
    await story.reach([stage("healthy", is_healthy), stage("fell", has_fallen), stage("alarm", is_alarmed)])
    assert [(entry.stage, entry.live) for entry in story.journal.entries] == [
        ("healthy", 0.96),
        ("fell", 0.5),
        ("alarm", 0.4),
    ]
    printed = capsys.readouterr().out
    assert printed.count("NAME READY") == 3
    assert "fell: it is fell" in printed


async def test_stages_that_come_in_one_moment_are_all_seen(tmp_path: Path) -> None:
    story = make_story(tmp_path, [make_snapshot(), ALARMED])
    await story.reach([stage("fell", has_fallen), stage("alarm", is_alarmed)])
    assert [entry.stage for entry in story.journal.entries] == ["fell", "alarm"]


async def test_a_stage_that_is_not_seen_in_its_time_says_what_and_where_to_look(tmp_path: Path) -> None:
    story = make_story(tmp_path, [ALARMED])
    with pytest.raises(DemoError) as raised:
        await story.reach([stage("healthy", is_healthy, within=0.3)])
    message = str(raised.value)
    assert "stage healthy (it is healthy) was not seen within 0 s" in message
    assert "Healthy=False CollectingLabels" in message
    assert "kubectl -n evermodel-demo describe model digits" in message
    assert story.journal.entries == []


async def test_waiting_ends_at_once_when_the_operator_gave_up(tmp_path: Path) -> None:
    stalled = condition(ConditionType.STALLED, ConditionStatus.TRUE, Reason.RUN_FAILED, "Column x is missing.")
    story = make_story(tmp_path, [make_snapshot(live=None, conditions=(stalled,))])
    with pytest.raises(DemoError, match=r"will not be seen any more: RunFailed: Column x is missing\."):
        await story.reach([stage("healthy", is_healthy)])


async def test_an_api_server_that_refuses_ends_the_demo_with_its_words(tmp_path: Path) -> None:
    story = make_story(tmp_path, [ALARMED])
    (tmp_path / "kubectl.sh").write_text("echo 'the server is unavailable' >&2; exit 1")
    with pytest.raises(DemoError, match="the server is unavailable"):
        await story.reach([stage("healthy", is_healthy)])


def test_the_namespace_of_the_demo_is_restricted_and_found_by_its_label() -> None:
    manifest = json.loads(json.dumps(story_module.namespace(story_module.NAMESPACE)))
    assert manifest["metadata"]["labels"] == {
        "app.kubernetes.io/part-of": "evermodel-demo",
        "pod-security.kubernetes.io/enforce": "restricted",
    }
