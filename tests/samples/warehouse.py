"""What the samples find in the claim and on the web server that they call `warehouse`; the rows are made up."""

from __future__ import annotations

import gzip
import io
from datetime import date, timedelta
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

CLAIM: Final = "warehouse"
SERVER: Final = "warehouse"
ORDERS: Final = "orders.csv.gz"
WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
SOLD_BY_WEEKDAY: Final = (150, 140, 145, 160, 190, 260, 220)
PLACES: Final = ("Köln; Deutz", "Nürnberg", "Düsseldorf", "Berlin")
"""Their letters are other bytes in windows-1252 than in UTF-8, and one has to be quoted."""


def claimed() -> dict[str, bytes]:
    """Return the files of the claim by their paths: the rolls that a bakery sold on each day of three years."""
    random = np.random.default_rng(5)
    return {f"bakery/days/year={year}/part-0.parquet": _days_of(year, random) for year in (2023, 2024, 2025)}


def _days_of(year: int, random: np.random.Generator) -> bytes:
    days = [date(year, 1, 1) + timedelta(days=number) for number in range(365)]
    season = np.array([np.cos(2 * np.pi * (day.timetuple().tm_yday - 200) / 365) for day in days])
    temperature = (10 + 9 * season + random.normal(0, 4, len(days))).round(1)
    rain = np.maximum(random.normal(-1, 3, len(days)), 0).round(1)
    fair = random.random(len(days)) < 0.1
    usual = np.array([SOLD_BY_WEEKDAY[day.weekday()] for day in days])
    sold = usual * (1.25 * fair + 1.0 * ~fair) - 6 * rain + temperature + random.normal(0, 8, len(days))
    table = pa.table(
        {
            "weekday": [WEEKDAYS[day.weekday()] for day in days],
            "temperature": temperature,
            "rain": rain,
            "fair": fair.astype(int),
            "rolls": sold.round().astype(int),
        }
    )
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


def served() -> dict[str, bytes]:
    """Return the files of the web server by their names: parcels, and whether they came late."""
    random = np.random.default_rng(6)
    lines = ["order;place;weight;distance;express;late"]
    for number in range(400):
        place = PLACES[random.integers(len(PLACES))]
        weight, distance = random.gamma(2.0, 4.0), random.uniform(5, 600)
        express = random.random() < 0.3
        hours = distance / 60 + weight / 8 + 3 * (place == "Berlin") - 4 * express + random.normal(0, 0.7)
        known = "" if random.random() < 0.05 else f"{weight:.1f}"
        cells = [f"{1000 + number}", f"'{place}'", known, f"{distance:.0f}", "yes" if express else "no"]
        lines.append(";".join([*cells, "yes" if hours > 7 else "no"]))
    return {ORDERS: gzip.compress("\n".join(lines).encode("windows-1252"), mtime=0)}
