"""Predict with a served model and tell it the true labels: ``pip install "evermodel[client]"``.

>>> from evermodel_client import Client
>>> with Client("http://iris.ml.svc", "iris") as model:  # doctest: +SKIP
...     prediction = model.predict([{"sepal_length_cm": 5.1, "sepal_width_cm": 3.5}])[0]
...     model.feedback({prediction.id: "setosa"})
"""

from evermodel.contract import LabelResult, LabelStatus
from evermodel_client.asynchronous import AsyncClient
from evermodel_client.errors import ClientError, RefusedError, UnavailableError
from evermodel_client.messages import Feedback, Prediction
from evermodel_client.retries import Retry
from evermodel_client.synchronous import Client

__all__ = [
    "AsyncClient",
    "Client",
    "ClientError",
    "Feedback",
    "LabelResult",
    "LabelStatus",
    "Prediction",
    "RefusedError",
    "Retry",
    "UnavailableError",
]
