"""A container of the user's own in a Job's pod."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from evermodel.api.fields import Resource
from evermodel.api.template import EnvVar, Resources


class Container(Resource, frozen=True, kw_only=True):
    """A container of the user's own; it holds no token, and mounts only its own folders."""

    image: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=512,
                description="Image of the container; default: the runtime image, which has Python, NumPy, ONNX, "
                "pyarrow and scikit-learn.",
            ),
        ]
        | None
    ) = None
    command: Annotated[
        tuple[Annotated[str, Meta(max_length=1024)], ...],
        Meta(max_length=64, description="What is run, instead of the image's entry point."),
    ] = ()
    args: Annotated[
        tuple[Annotated[str, Meta(max_length=65_536)], ...],
        Meta(max_length=64, description="Arguments of the command; a short script fits into one."),
    ] = ()
    env: Annotated[tuple[EnvVar, ...], Meta(max_length=64, description="Environment variables, by plain value.")] = ()
    resources: Resources = Resources()
