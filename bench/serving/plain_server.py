"""What uvicorn gives without Evermodel: an echo, and a model without anything around it.

python plain_server.py echo PORT
python plain_server.py onnx PORT MODEL_FILE
python plain_server.py skops PORT MODEL_FILE    each request asks scikit-learn for itself
"""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnxruntime
import uvicorn
from numpy.typing import NDArray

from evermodel_runtime.artifacts.skops_archive import load_pipeline

Answer = Callable[[bytes], bytes]


class Tensor(msgspec.Struct):
    """The one input of a request."""

    shape: tuple[int, int]
    data: list[float]


class Request(msgspec.Struct):
    """Body of a request, as far as it is looked at."""

    inputs: list[Tensor]


def echo() -> Answer:
    """Answer what came."""
    return lambda body: body


def predicting(predict: Callable[[NDArray[np.float32]], tuple[NDArray[Any], NDArray[Any]]]) -> Answer:
    """Decode, ask the model, encode."""
    decode, encode = msgspec.json.Decoder(Request).decode, msgspec.json.Encoder().encode

    def answer(body: bytes) -> bytes:
        tensor = decode(body).inputs[0]
        labels, sure = predict(np.array(tensor.data, dtype=np.float32).reshape(tensor.shape))
        outputs = [
            {"name": "label", "datatype": "INT64", "shape": labels.shape, "data": labels.tolist()},
            {"name": "probabilities", "datatype": "FP64", "shape": sure.shape, "data": sure.ravel().tolist()},
        ]
        return encode({"model_name": "model", "outputs": outputs})

    return answer


def onnx(file: Path) -> Answer:
    """Ask ONNX Runtime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(file.read_bytes(), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    outputs = [each.name for each in session.get_outputs()]
    return predicting(lambda rows: tuple(session.run(outputs, {name: rows})))


def skops(file: Path) -> Answer:
    """Ask scikit-learn."""
    pipeline = load_pipeline(file.read_bytes())
    return predicting(lambda rows: (pipeline.predict(rows), pipeline.predict_proba(rows)))


def application(answer: Answer) -> Callable[..., Awaitable[None]]:
    """Return an ASGI application that answers every request alike."""

    async def app(scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Any]) -> None:
        if scope["type"] != "http":
            return
        message = await receive()
        body = message["body"]
        while message.get("more_body"):
            message = await receive()
            body += message["body"]
        content = answer(body) if body else b"{}"
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    return app


def main(kind: str, port: str, *files: str) -> None:
    """Serve until told to stop."""
    kinds: dict[str, Callable[..., Answer]] = {"echo": echo, "onnx": onnx, "skops": skops}
    answer = kinds[kind](*[Path(file) for file in files])
    config = uvicorn.Config(
        application(answer),
        host="127.0.0.1",
        port=int(port),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        log_level="warning",
        access_log=False,
    )
    uvicorn.Server(config).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
