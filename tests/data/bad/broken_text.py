"""CSV files that are broken as text: before anybody asks what a column means."""

from __future__ import annotations

import codecs

from tests.data.bad.case import BadData, invalid, undeclarable
from tests.data.bad.good_table import CSV, as_csv, changed, rows

from evermodel.contract import DataFormat

LINES = CSV.decode().splitlines()
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)) * 4
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Type /Catalog >>\nendobj\n"
HTML = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head>\n<body>Please, sign in first</body></html>\n"
XLSX = b"PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00!\x00" + b"[Content_Types].xml" + bytes(200)


def _with_line(number: int, text: str) -> bytes:
    """Replace a line, counted from 1."""
    return "\n".join([*LINES[: number - 1], text, *LINES[number:], ""]).encode()


BROKEN_TEXT: tuple[BadData, ...] = (
    invalid("empty file", lambda: b"", "rows.csv is empty", "A header row and at least one row per class are needed"),
    invalid("spaces and line ends only", lambda: b" \r\n\t\n  \n", "rows.csv is empty", "header row"),
    invalid("a byte order mark only", lambda: codecs.BOM_UTF8, "rows.csv is empty"),
    invalid("a header only", lambda: CSV.splitlines(keepends=True)[0], "no rows", "id, age, income, colour, class"),
    invalid("one row", lambda: as_csv(rows(1)), "has 1 row; at least 20 are needed"),
    invalid("nineteen rows", lambda: as_csv(rows(19)), "has 19 rows; at least 20 are needed"),
    invalid(
        "no header",
        lambda: CSV.split(b"\n", 1)[1],
        "no column 'class', which spec.data.target names",
        "Its columns are r1",
    ),
    invalid(
        "a column name twice",
        lambda: CSV.replace(b"income", b"age", 1),
        "column name 'age'",
        "more than once",
        "columns 2 and 3",
        "Rename",
    ),
    invalid("a column without a name", lambda: CSV.replace(b"income", b"", 1), "column 3 has no name", "header"),
    invalid(
        "a first column without a name, as data frames write their index",
        lambda: b"".join(b"%d,%s" % (n, line) for n, line in enumerate(CSV.splitlines(keepends=True))).replace(
            b"0", b"", 1
        ),
        "column 1 has no name",
        "index=False",
    ),
    invalid(
        "a delimiter at the end of every line",
        lambda: CSV.replace(b"\n", b",\n"),
        "column 6 has no name",
        "take away the delimiter at the end",
    ),
    invalid("names that differ by spaces only", lambda: CSV.replace(b"income", b" age ", 1), "column name 'age'"),
    invalid(
        "a name that differs by case",
        lambda: CSV.replace(b"class", b"Class", 1),
        "no column 'class'",
        "Did you mean 'Class'?",
    ),
    invalid("a short row", lambda: _with_line(13, "r12,30,4.5,red"), "row 12 (line 13) has 4 fields", "header has 5"),
    invalid("a long row", lambda: _with_line(13, "r12,30,4,5,red,low"), "row 12 (line 13) has 6 fields", "comma"),
    invalid(
        "a trailing delimiter in every row but the header",
        lambda: "\n".join([LINES[0], *(f"{line}," for line in LINES[1:]), ""]).encode(),
        "row 1 (line 2) has 6 fields",
    ),
    invalid("a title above the header", lambda: b"Customers of May\n\n" + CSV, "single column, 'Customers of May'"),
    invalid(
        "a comment above the header",
        lambda: b"# made by export 1.2, all rights reserved\n" + CSV,
        "row 1 (line 2) has 5 fields",
    ),
    invalid("a quote that never ends", lambda: _with_line(13, 'r12,30,4.5,"red,low'), "lines 13 to 61", "not closed"),
    invalid("NUL bytes", lambda: _with_line(13, "r12,30,4.5,r\0d,low"), "line 13 holds a NUL byte", "Write it again"),
    invalid("a tail of NUL bytes, as a crashed writer leaves it", lambda: CSV + bytes(512), "NUL", "line 62"),
    invalid("a file of NUL bytes", lambda: bytes(4096), "NUL"),
    invalid("UTF-16 without its mark", lambda: CSV.decode().encode("utf-16-le"), "UTF-16", "spec.data.format.encoding"),
    invalid(
        "UTF-16 that ends in the middle of a character",
        lambda: CSV.decode().encode("utf-16")[:-1],
        "not utf-16",
        "line 61",
        "spec.data.format.encoding",
    ),
    invalid("UTF-32 without its mark", lambda: CSV.decode().encode("utf-32-le"), "UTF-16", "spec.data.format.encoding"),
    invalid(
        "a line of another encoding",
        lambda: CSV.replace(b"r12", b"r\xfc12"),
        "line 13 is not UTF-8 (byte 0xfc)",
        "windows-1252",
    ),
    invalid(
        "an encoding that the file is not",
        lambda: CSV.replace(b"r12", "r\u20ac12".encode()),
        "not ascii",
        "line 13",
        "spec.data.format.encoding",
        source={"format": DataFormat(encoding="ascii")},
    ),
    undeclarable(
        "an encoding that does not exist", "utf-99", "windows-1252", source={"format": DataFormat(encoding="utf-99")}
    ),
    undeclarable(
        "an encoding that is none of text",
        "rot13",
        "spec.data.format.encoding",
        source={"format": DataFormat(encoding="rot13")},
    ),
    invalid(
        "a delimiter that nobody would guess",
        lambda: CSV.replace(b",", b"~"),
        "single column",
        "spec.data.format.delimiter",
    ),
    invalid(
        "another delimiter than the declared one",
        lambda: CSV,
        "single column",
        "spec.data.format.delimiter",
        source={"format": DataFormat(delimiter=";")},
    ),
    invalid(
        "delimiters that change halfway",
        lambda: "\n".join([*LINES[:31], *(line.replace(",", ";") for line in LINES[31:]), ""]).encode(),
        "row 31 (line 32) has 1 fields",
    ),
    invalid(
        "decimal commas in a file of commas",
        lambda: "\n".join([LINES[0], *(line.replace(".", ",") for line in LINES[1:]), ""]).encode(),
        "row 1 (line 2) has 6 fields",
        "comma",
    ),
    invalid(
        "a column name with control characters",
        lambda: CSV.replace(b"income", b"in\x1b[31mcome\x07", 1),
        "control characters",
        "column 3",
        r"'in\x1b[31mcome\x07'",
    ),
    invalid(
        "a column name of ten thousand characters",
        lambda: CSV.replace(b"income", b"x" * 10_000, 1),
        "column 3",
        "10,000 characters",
    ),
    invalid("a cell of two megabytes", lambda: _with_line(13, "r12,30,4.5," + "x" * (1 << 21) + ",low"), "line 13"),
    invalid("a picture", lambda: PNG, "PNG", "rows.csv"),
    invalid("a PDF", lambda: PDF, "PDF"),
    invalid("a web page where a file was meant", lambda: HTML, "HTML", "web page"),
    invalid("a spreadsheet called CSV", lambda: XLSX, "zip", "Save"),
    invalid(
        "rows merged with those of another file",
        changed(lambda place, _row: {"income": "income", "age": "age", "class": "class"} if place == 30 else {}),
        "row 31 (line 32)",
        "'age'",
    ),
)
