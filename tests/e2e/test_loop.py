"""The whole loop, as the demo plays it, and what must be as it was when it is over."""

from __future__ import annotations

from tests.demo.camera import Camera
from tests.demo.journal import Journal
from tests.demo.story import MODEL, Story
from tests.e2e.figures import Figure
from tests.e2e.installation import Installation
from tests.e2e.namespaces import Namespace

from evermodel.kube.client import Object

_OF_THE_API_SERVER = {"managedFields", "resourceVersion"}


async def test_a_model_recovers_by_itself_and_nothing_that_the_user_wrote_is_changed(
    installation: Installation, namespace: Namespace, figure: Figure
) -> None:
    story = Story(
        cluster=installation.cluster,
        camera=Camera.of_rows_after(1000, seed=7),
        journal=Journal(),
        namespace=namespace.name,
    )
    await story.declare()
    declared = await namespace.manifest(MODEL)
    await story.go_round()
    after = await namespace.manifest(MODEL)

    assert story.journal.tally.failures == []
    assert after["spec"] == declared["spec"]
    assert _metadata(after) == _metadata(declared)
    turned_to_serving = story.journal.turned_to_serving()
    assert turned_to_serving is not None
    figure("seconds from the turned camera to the new version serving", turned_to_serving)


def _metadata(manifest: Object) -> Object:
    return {name: value for name, value in manifest["metadata"].items() if name not in _OF_THE_API_SERVER}
