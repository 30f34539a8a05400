"""Choose how a fitted pipeline is stored: ONNX where it answers the same, else skops, else not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from evermodel.contract import FailureReason, Manifest, ModelFormat
from evermodel_runtime.artifacts.scorer import LOADING_ERRORS, RowsRefusedError, Scorer, load_scorer
from evermodel_runtime.data.failure import JobError
from evermodel_runtime.data.rows import FeatureRows
from evermodel_runtime.train.export import NoOnnxError, check_parity, compare, export

Say = Callable[[str], None]
ADVICE = "Scale the features (StandardScaler) or choose another estimator."


@dataclass(frozen=True, slots=True)
class Packed:
    """A model as a file.

    Attributes
    ----------
    reason : str
        Why it is not ONNX; empty when it is.
    """

    format: ModelFormat
    content: bytes
    reason: str = ""

    def scorer(self, manifest: Manifest) -> Scorer:
        """Load it."""
        return load_scorer(self.content, self.named_in(manifest, self.format))

    def named_in(self, manifest: Manifest, digest: str) -> Manifest:
        """Return the manifest with the file's digest."""
        onnx, skops = (digest, None) if self.format is ModelFormat.ONNX else (None, digest)
        return msgspec.structs.replace(manifest, onnx=onnx, skops=skops)


def pack(pipeline: Any, manifest: Manifest, rows: FeatureRows, say: Say) -> Packed:
    """Store a fitted pipeline in the first format that answers as it does on these rows.

    Raises
    ------
    JobError
        ParityFailed with the reasons of both, when neither does.
    """
    try:
        packed = Packed(ModelFormat.ONNX, export(pipeline, manifest.columns, manifest.model))
        say(f"exported {len(packed.content):,} bytes of ONNX")
        say(f"parity: {check_parity(pipeline, _onnx_scorer(packed, manifest), rows)}")
    except NoOnnxError as obstacle:
        return _pack_by_skops(pipeline, manifest, rows, say, str(obstacle))
    return packed


def _onnx_scorer(packed: Packed, manifest: Manifest) -> Scorer:
    try:
        return packed.scorer(manifest)
    except LOADING_ERRORS as error:
        raise NoOnnxError(f"ONNX Runtime does not load the export: {error}") from error


def _pack_by_skops(pipeline: Any, manifest: Manifest, rows: FeatureRows, say: Say, obstacle: str) -> Packed:
    # A quarter of a second that few runs need.
    from evermodel_runtime.artifacts.skops_archive import ArchiveError, dump_pipeline  # noqa: PLC0415
    from evermodel_runtime.artifacts.skops_scorer import ROW_ERRORS  # noqa: PLC0415

    say(f"no ONNX: {obstacle}")
    try:
        packed = Packed(ModelFormat.SKOPS, dump_pipeline(pipeline), obstacle)
        parity = compare(pipeline, packed.scorer(manifest), rows)
    except ArchiveError as error:
        raise _refused(obstacle, str(error)) from error
    except (RowsRefusedError, *ROW_ERRORS) as error:  # of the pipeline itself, too
        raise _refused(obstacle, f"scikit-learn does not answer every row: {error}") from error
    if not parity.exact:
        raise _refused(obstacle, f"what skops stored does not answer as the trained model does: {parity}")
    say(f"stored {len(packed.content):,} bytes by skops; parity: {parity}")
    return packed


def _refused(obstacle: str, problem: str) -> JobError:
    message = f"This model cannot be served. As ONNX, {obstacle}. By skops, {problem}. {ADVICE}"
    return JobError(FailureReason.PARITY_FAILED, message)
