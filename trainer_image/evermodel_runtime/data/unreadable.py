"""What files are that hold no table, told by their first bytes: a download page, a picture, an archive."""

from __future__ import annotations

from evermodel_runtime.data.failure import data_error

KINDS: tuple[tuple[bytes, str], ...] = (
    (
        b"PK\x03\x04",
        "a zip archive or a spreadsheet (.xlsx, .zip). Save its table as CSV, compressed by gzip if at all",
    ),
    (b"\xd0\xcf\x11\xe0", "an old spreadsheet (.xls). Save its table as CSV"),
    (b"%PDF-", "a PDF document. Export its table as CSV"),
    (b"\x89PNG", "a PNG picture. Name a file that holds a table"),
    (b"\xff\xd8\xff", "a JPEG picture. Name a file that holds a table"),
    (b"SQLite format 3", "a SQLite database. Export the table as CSV"),
    (b"\x89HDF", "an HDF5 file. Write the table as Parquet or CSV"),
    (b"\x93NUMPY", "a numpy array. Write it as CSV or Parquet, with a header"),
    (b"\x80\x04\x95", "a Python pickle, which is never loaded. Write the table as Parquet or CSV"),
    (b"BZh", "compressed by bzip2. Compress it by gzip or zstd"),
    (b"\xfd7zXZ", "compressed by xz. Compress it by gzip or zstd"),
    (b"ORC", "ORC. Write the table as Parquet"),
)
PAGES = (b"<!doctype html", b"<html")
LONGEST_MAGIC = 16


def refuse_what_is_no_table(content: bytes, name: str) -> None:
    """Say what a file is, where its first bytes tell that it is no table.

    Raises
    ------
    JobError
        DataInvalid, with what to do.
    """
    for magic, kind in KINDS:
        if content.startswith(magic):
            raise data_error(f"{name} is {kind}.")
    beginning = content[: LONGEST_MAGIC << 4].lstrip()[:LONGEST_MAGIC].lower()
    if beginning.startswith(PAGES):
        raise data_error(
            f"{name} is a web page (HTML), such as a sign-in or an error page in place of a file. Fetch the "
            "file itself."
        )
