"""What a model is trained on: source, format, columns and held-out rows."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from evermodel.api.fields import ColumnName, Digest, Resource
from evermodel.contract import FileType


class TrainData(Resource, frozen=True, kw_only=True):
    """The file that the model is trained on."""

    uri: Annotated[
        str,
        Meta(
            pattern=(
                r"^(configmap://[a-z0-9.-]+/[A-Za-z0-9._-]+|hub://[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
                r"|pvc://[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9._=,+@:%~ /-]*"
                r'|https?://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?/[!-"$-~]*'
                r"|sklearn://[a-z0-9_]+(\?rows=[0-9]{0,9}:[0-9]{0,9})?)$"
            ),
            max_length=1024,
            description=(
                "CSV with a header row, Parquet, JSON lines or Arrow, plain, gzip or zstd: configmap://NAME/KEY "
                "in the same namespace, hub://NAME for an uploaded file, pvc://CLAIM/PATH for a file or a "
                "folder of files with equal columns, https://HOST/PATH for one on a web server "
                "(http:// where sha256 is declared), or sklearn://NAME (digits, iris, wine, breast_cancer; diabetes "
                "for regression), of which ?rows=START:STOP takes a slice."
            ),
        ),
    ]
    sha256: Digest | None = None
    """Digest that the file must have; another file is refused."""


class SecretRef(Resource, frozen=True, kw_only=True):
    """A Secret of the same namespace."""

    name: Annotated[
        str,
        Meta(
            pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
            max_length=253,
            description="Its keys: token, or username and password; ca.crt, of the server's authority.",
        ),
    ]


class DataFormat(Resource, frozen=True, kw_only=True):
    """How the file is read. What is left out is found from its name and its first bytes; gzip and zstd always are."""

    type: Annotated[FileType, Meta(description="What the file is.")] | None = None
    delimiter: (
        Annotated[
            str,
            Meta(min_length=1, max_length=1, description="What stands between values of CSV, where not , ; tab or |."),
        ]
        | None
    ) = None
    quote: (
        Annotated[
            str,
            Meta(min_length=1, max_length=1, description='What stands around values of CSV that hold it, where not ".'),
        ]
        | None
    ) = None
    encoding: (
        Annotated[
            str,
            Meta(
                pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$",
                max_length=32,
                description="Encoding of CSV as Python names it, such as windows-1252; UTF-8 is found.",
            ),
        ]
        | None
    ) = None


class Holdout(Resource, frozen=True, kw_only=True):
    """The part of the source that is never trained on, chosen by a hash of the row's id (or of the row)."""

    fraction: Annotated[
        float, Meta(ge=0.05, le=0.5, description="Share of the rows held out as the reference set.")
    ] = 0.2


class Data(Resource, frozen=True, kw_only=True):
    """The data and what its columns mean."""

    train: TrainData
    target: Annotated[ColumnName, Meta(description="The column to predict.")]
    features: Annotated[
        tuple[ColumnName, ...],
        Meta(max_length=4096, description="Columns to learn from. Empty: all but target and idColumn."),
    ] = ()
    id_column: Annotated[ColumnName, Meta(description="Column that names a row; it is not learnt from.")] | None = None
    holdout: Holdout = Holdout()
    format: DataFormat = DataFormat()
    credentials_secret_ref: SecretRef | None = None
    """What an https:// source asks for; sent to the declared server alone, also where it redirects to another."""
