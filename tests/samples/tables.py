"""Tables that samples want uploaded first, each in a format of its own; the rows are made up."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.ipc

MAKERS: Final = ("Aller", "Bode", "Chiem")


def tables() -> dict[str, bytes]:
    """Return the content of each file by its name."""
    return {"pumps.arrow": _arrow(_pumps()), "bookings.csv.zst": _zstd_csv(_bookings())}


def _pumps() -> pa.Table:
    """Pumps of a waterworks, and which of them failed within a month."""
    random = np.random.default_rng(11)
    rows = 500
    maker, serviced = random.integers(len(MAKERS), size=rows), random.random(rows) < 0.4
    vibration, hours = random.gamma(4.0, 0.8, rows), random.uniform(0, 9000, rows)
    strain = vibration + hours / 2500 + 1.2 * (maker == 1) - 2 * serviced + random.normal(0, 0.5, rows)
    return pa.table(
        {
            "maker": pa.array([MAKERS[place] for place in maker]).dictionary_encode(),
            "vibration": pa.array(vibration.round(2), pa.float32()),
            "hours": pa.array(hours.astype(int), pa.int32()),
            "serviced": pa.array(serviced),
            "failed": pa.array(np.where(strain > 5, "yes", "no")),
        }
    )


def _bookings() -> pa.Table:
    """Bookings of a hotel, and how many nights the guests stayed in the end."""
    random = np.random.default_rng(12)
    rows = 600
    booked, guests, ahead = random.integers(1, 15, rows), random.integers(1, 5, rows), random.integers(0, 120, rows)
    nights = booked * (1 - ahead / 300) + 0.4 * guests + random.normal(0, 0.6, rows)
    return pa.table({"booked": booked, "guests": guests, "daysAhead": ahead, "nights": nights.round(1)})


def _arrow(table: pa.Table) -> bytes:
    written = pa.BufferOutputStream()
    with pa.ipc.new_file(written, table.schema) as file:
        file.write_table(table)
    content: bytes = written.getvalue().to_pybytes()
    return content


def _zstd_csv(table: pa.Table) -> bytes:
    written = pa.BufferOutputStream()
    with pa.CompressedOutputStream(written, "zstd") as compressed:
        pyarrow.csv.write_csv(table, compressed)
    content: bytes = written.getvalue().to_pybytes()
    return content
