"""The sample's figures: a forest that reads the camera's digits, the camera turned, and the forest after that."""

import msgspec
import numpy as np
from tests.demo.camera import Camera
from tests.unit.runtime.made_runs import make_source, make_train_run
from tests.unit.runtime.memory_hub import PIXELS, MemoryHub, as_records, surroundings

from evermodel_runtime.artifacts.manifests import StoredModel, load_model
from evermodel_runtime.train.job import train

SAMPLE = make_train_run(
    data=make_source(uri="sklearn://digits?rows=0:1200", target="target"),
    estimator="RandomForestClassifier",
    parameters={"n_estimators": 100},
)
THRESHOLD = 0.93
Photographs = tuple[list[list[float]], list[int]]


def photographs(camera: Camera, count: int) -> Photographs:
    taken = [camera.photograph() for _ in range(count)]
    return [pixels for pixels, _ in taken], [digit for _, digit in taken]


def accuracy(model: StoredModel, taken: Photographs) -> float:
    pixels, digits = taken
    return float(np.mean(model.scorer.predict(np.array(pixels, np.float32)) == np.array(digits)))


def test_a_turned_camera_breaks_the_model_and_its_labelled_photographs_mend_it() -> None:
    camera = Camera.of_rows_after(1200, seed=4)
    upright = photographs(camera, 600)
    camera.turn()
    turned, unseen = photographs(camera, 430), photographs(camera, 2000)
    hub = MemoryHub(taken=PIXELS, labelled=as_records(*upright) + as_records(*turned, first_seq=601))

    first = load_model(hub, train(SAMPLE, surroundings(hub)).manifest)
    retrained = train(msgspec.structs.replace(SAMPLE, version=2, feedback_through=1030), surroundings(hub))

    assert accuracy(first, upright) > THRESHOLD + 0.01
    assert accuracy(first, unseen) < 0.5
    assert accuracy(load_model(hub, retrained.manifest), unseen) > THRESHOLD
