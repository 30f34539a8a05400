"""A model behind KServe's Python SDK, as its documentation shows it: run by the Python that has kserve.

python kserve_server.py FOLDER PORT
"""

import sys
from pathlib import Path

import joblib
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer


class Sklearn(Model):  # type: ignore[misc]  # kserve is in another environment
    """One joblib file."""

    def __init__(self, folder: str) -> None:
        super().__init__("model")
        self._folder = folder

    def load(self) -> bool:
        """Load it, and say that it is there."""
        self._model = joblib.load(Path(self._folder) / "model.joblib")
        self.ready = True
        return self.ready

    def predict(self, payload: InferRequest, *_headers: object, **_more: object) -> InferResponse:
        """Answer one request of the Open Inference Protocol."""
        labels = self._model.predict(payload.inputs[0].as_numpy())
        output = InferOutput("predict", list(labels.shape), "INT64")
        output.set_data_from_numpy(labels, binary_data=False)
        return InferResponse(payload.id or "1", "model", [output])


folder, port = sys.argv[1:]
model = Sklearn(folder)
model.load()
ModelServer(http_port=int(port), enable_grpc=False, workers=1).start([model])
