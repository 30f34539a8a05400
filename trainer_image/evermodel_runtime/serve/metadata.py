"""What this server is, and what its model takes and answers, as the protocol describes it."""

import evermodel
from evermodel.contract import ColumnKind, ServeConfig
from evermodel_runtime.serve.inference import LABEL, PREDICTION, PROBABILITIES
from evermodel_runtime.serve.model import ServedModel
from evermodel_runtime.serve.protocol import Datatype, ModelMetadata, ServerMetadata, TensorMetadata

SERVER = ServerMetadata(name="evermodel", version=evermodel.__version__, extensions=("binary_tensor_data",))
MATRIX = "X"
DATE_TIME = "date-time"
"""How OpenAPI calls times in ISO 8601."""


def model_metadata(config: ServeConfig, model: ServedModel) -> ModelMetadata:
    """Describe a model: one matrix when all columns are numbers (single columns work too), else an input per column."""
    return ModelMetadata(
        name=config.model,
        versions=(str(config.version),),
        platform=model.platform,
        inputs=_inputs(model),
        outputs=_outputs(model),
    )


def not_here(config: ServeConfig, model: str, version: str = "") -> str | None:
    """Say that another model or version is served here than the one that a caller asks for; None where it is the one.

    Without a version any will do.
    """
    if model != config.model:
        return f"model {model[:80]!r} is not here: this server has {config.model!r}"
    if version not in {"", str(config.version)}:
        return f"version {version[:20]!r} is not here: this server has version {config.version}"
    return None


def _inputs(model: ServedModel) -> tuple[TensorMetadata, ...]:
    schema = model.schema
    if not schema.texts:
        return (
            TensorMetadata(
                MATRIX, Datatype.FP64, (-1, len(schema.names)), {"columns": list(schema.names)} | _nullable(model)
            ),
        )
    return tuple(
        TensorMetadata(
            name,
            Datatype.FP64 if kind is ColumnKind.NUMBER else Datatype.BYTES,
            (-1, 1),
            ({"format": DATE_TIME} if kind is ColumnKind.DATE else {})
            | ({"nullable": True} if name in schema.nullable else {}),
        )
        for name, kind in zip(schema.names, schema.kinds, strict=True)
    )


def _nullable(model: ServedModel) -> dict[str, list[str]]:
    schema = model.schema
    return {"nullable": [name for name in schema.names if name in schema.nullable]} if schema.nullable else {}


def _outputs(model: ServedModel) -> tuple[TensorMetadata, ...]:
    if model.predicts_numbers:
        return (TensorMetadata(PREDICTION, model.label_type, (-1,)),)
    classes = {"classes": list(model.manifest.classes)}
    outputs = [TensorMetadata(LABEL, model.label_type, (-1,), classes)]
    if model.has_probabilities:
        shape = (-1, len(model.manifest.classes))
        outputs.append(TensorMetadata(PROBABILITIES, Datatype.FP64, shape, classes))
    return tuple(outputs)
