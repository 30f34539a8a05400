"""`make demo`: play the story, say what was seen, and leave the cluster for a look around."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path
from typing import Final

from tests.cluster.profiles import REPO
from tests.demo.camera import Camera
from tests.demo.clusters import chosen_cluster
from tests.demo.commands import Kubectl
from tests.demo.errors import DemoError
from tests.demo.journal import Journal
from tests.demo.plot import draw
from tests.demo.story import MODEL, NAMESPACE, Story

BUILD: Final = REPO / "build"
FIRST_ROW_NOT_TRAINED_ON: Final = 1000
SEED: Final = 20


def main() -> int:
    """Play the demo; return 0 when every stage was seen and no request failed."""
    story = Story(
        cluster=chosen_cluster(),
        camera=Camera.of_rows_after(FIRST_ROW_NOT_TRAINED_ON, seed=SEED),
        journal=Journal(),
    )
    try:
        problems = asyncio.run(_played(story))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    failures = story.journal.tally.failures
    if failures:
        problems.append(f"{len(failures)} requests failed, the first with: {failures[0]}")
    _save(story)
    print(f"\n{story.journal.timeline()}\n\n{_summary(story.journal)}")
    if problems:
        print("\nfailed: " + "\nfailed: ".join(problems), file=sys.stderr)
        return 1
    print(f"\n{next_commands(story.cluster.kubectl)}")
    return 0


def next_commands(kubectl: Kubectl) -> str:
    """Return what a person may try now, ready to be copied."""
    has_kubectl = shutil.which("kubectl") is not None
    alias = [] if has_kubectl else [f"alias kubectl='{' '.join(map(str, kubectl.program))}'"]
    lines = [
        f"export KUBECONFIG={kubectl.kubeconfig}",
        *alias,
        f"kubectl get models -n {NAMESPACE} -o wide",
        f"kubectl describe model {MODEL} -n {NAMESPACE}",
        f"kubectl get modelversions -n {NAMESPACE} -o wide",
        "# back to version 1:",
        f'kubectl patch model {MODEL} -n {NAMESPACE} --type merge -p \'{{"spec":{{"version":1}}}}\'',
        f"kubectl wait -n {NAMESPACE} --for=condition=Ready model/{MODEL}",
        f"kubectl delete namespace {NAMESPACE}",
    ]
    return "The cluster stays up. To look around:\n" + "\n".join(f"  {line}" for line in lines)


async def _played(story: Story) -> list[str]:
    """Play a story and return what went wrong."""
    problems: list[str] = []
    try:
        await story.play()
    except* DemoError as group:
        problems += map(str, group.exceptions)
    return problems


def _save(story: Story) -> None:
    BUILD.mkdir(exist_ok=True)
    Path(BUILD, "demo.json").write_bytes(story.journal.encoded())
    if story.snapshot is not None and story.journal.tally.outcomes:
        spec = story.snapshot.model.spec
        draw(story.journal, BUILD / "demo.png", threshold=spec.objective.threshold, window=spec.monitoring.window)


def _summary(journal: Journal) -> str:
    tally, turned_to_serving = journal.tally, journal.turned_to_serving()
    lines = [f"{tally.predictions:,} predictions, {tally.labels:,} labels, {len(tally.failures)} failed requests"]
    if turned_to_serving is not None:
        lines.append(f"camera turned → new version serving: {turned_to_serving:.1f} s")
    lines.append("build/demo.json has the stages" + (", build/demo.png the picture" if tally.outcomes else ""))
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
