"""Which cluster the demo takes, and by which names its images are known."""

import pytest
from tests.cluster.profiles import FULL
from tests.demo.clusters import OVERLAY, GivenCluster, LocalCluster, chosen_cluster, exact_images, missing_images


@pytest.mark.parametrize(
    ("environment", "kind"),
    [
        pytest.param({}, LocalCluster, id="no KUBECONFIG: the local cluster"),
        pytest.param({"KUBECONFIG": ""}, LocalCluster, id="empty KUBECONFIG: the local cluster"),
        pytest.param(
            {"KUBECONFIG": str(FULL.kubeconfig)}, LocalCluster, id="the local one's, as printed by a run before"
        ),
        pytest.param({"KUBECONFIG": "/home/x/.kube/config"}, GivenCluster, id="somebody's own cluster"),
        pytest.param(
            {"KUBECONFIG": "/home/x/.kube/config", "EVERMODEL_CLUSTER": "local"},
            LocalCluster,
            id="local is asked for",
        ),
    ],
)
def test_the_cluster_follows_the_environment(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], kind: type
) -> None:
    for name in ("KUBECONFIG", "EVERMODEL_CLUSTER"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert isinstance(chosen_cluster(), kind)


def test_images_are_known_by_their_content() -> None:
    listing = "localhost/evermodel-pause:0a /c/pause-0a.tar\nlocalhost/evermodel-operator:1b /c/operator-1b.tar\n"
    assert exact_images(listing) == {
        "localhost/evermodel-pause:dev": "localhost/evermodel-pause:0a",
        "localhost/evermodel-operator:dev": "localhost/evermodel-operator:1b",
    }


def test_the_local_overlay_names_the_images_that_are_replaced() -> None:
    overlay = (OVERLAY / "kustomization.yaml").read_text(encoding="utf-8")
    assert "newName: localhost/evermodel-operator\n  newTag: dev" in overlay
    assert "value: localhost/evermodel-runtime:dev" in overlay


@pytest.mark.parametrize(
    ("pods", "is_said"),
    [
        pytest.param("evermodel-operator-1  0/1  ImagePullBackOff  0  1m", True, id="cannot be pulled"),
        pytest.param("evermodel-operator-1  0/1  ErrImagePull  0  1m", True, id="could not be pulled just now"),
        pytest.param("evermodel-operator-1  0/1  CrashLoopBackOff  3  1m", False, id="another trouble"),
    ],
)
def test_missing_images_are_said_in_a_line(pods: str, *, is_said: bool) -> None:
    assert bool(missing_images(pods)) is is_said
