"""Write the labelled streams of ``docs/closed-loop.md`` as CSV files, made from seeds.

``bench/drift_streams.py FOLDER`` writes all of them; ``bench/closed_loop.py FILE.csv`` replays one. They are of other
families than the generated streams of ``evermodel-runtime backtest``, at which the loop's rules were first tried.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Random = np.random.Generator
Numbers = NDArray[np.float64]
Columns = list[NDArray[Any]]
Drawn = tuple[Columns, NDArray[Any]]
"""Columns of features, and classes from 0."""


def stagger(random: Random, rows: int) -> Drawn:
    """Three categories of three values, and three rules in turn."""
    words = (["red", "green", "blue"], ["circle", "square", "triangle"], ["small", "medium", "large"])
    colour, shape, size = (random.integers(0, 3, rows) for _ in words)
    rules = [(colour == 0) & (size == 0), (colour == 1) | (shape == 0), (size == 1) | (size == 2)]
    columns = [np.array(names)[codes] for names, codes in zip(words, (colour, shape, size), strict=True)]
    return columns, np.choose(in_turn(rows, 0.33, 0.66), rules)


def electricity(random: Random, rows: int) -> Drawn:
    """Ask of half-hours of a market whether the price is above its mean of a day, in a season that moves."""
    time = np.arange(rows)
    day, half_hour = (time // 48) % 7, (time % 48) / 47
    level = np.cumsum(random.normal(size=rows)) * 0.02
    daily = 0.5 + 0.25 * np.sin(2 * np.pi * half_hour - 1) + 0.1 * (day < 5)
    demand = daily + 0.05 * random.normal(size=rows) + 0.1 * np.sin(time / rows * 9)
    neighbour = 0.4 + 0.2 * np.sin(2 * np.pi * half_hour - 0.6) + 0.06 * random.normal(size=rows)
    transfer = 0.5 + 0.15 * np.cos(2 * np.pi * half_hour + level) + 0.05 * random.normal(size=rows)
    price, shock = np.zeros(rows), 0.0
    for row in range(rows):
        shock = 0.9 * shock + 0.05 * random.normal()
        season = 1 + 0.5 * np.sin(row / rows * 12)
        price[row] = demand[row] * season + 0.4 * transfer[row] * np.cos(row / rows * 7) + shock
    mean = np.convolve(price, np.ones(48) / 48)[:rows]
    mean[0] = price[0]
    return [day, half_hour, demand, neighbour, transfer], price > mean


def sine(random: Random, rows: int) -> Drawn:
    """Below a curve of two features, then below another, above it, and below the first again."""
    x = random.random((rows, 4))
    first, second = x[:, 1] <= np.sin(x[:, 0] * 3), _below_wave(x)
    return list(x.T), np.choose(in_turn(rows, 0.3, 0.6, 0.8), [first, second, ~second, first])


def circles(random: Random, rows: int) -> Drawn:
    """Within a circle that moves and grows."""
    x, time = random.random((rows, 2)), np.arange(rows) / rows
    centre = np.c_[0.3 + 0.4 * time, 0.5 + 0.1 * np.sin(6 * time)]
    return list(x.T), ((x - centre) ** 2).sum(axis=1) < (0.2 + 0.12 * time) ** 2


def agrawal(random: Random, rows: int) -> Drawn:
    """Loans that are given by four rules, each of which replaces the one before within some hundred rows."""
    salary = random.uniform(20, 150, rows)
    commission = np.where(salary >= 75, 0, random.uniform(10, 75, rows))
    age = random.integers(20, 81, rows).astype(float)
    education, place = random.integers(0, 5, rows), random.integers(0, 9, rows)
    house = random.uniform(0.5, 1.5, rows) * (9 - place) * 100
    loan = random.uniform(0, 500, rows)
    young, middle = age < 40, age < 60

    def by_age(low: NDArray[Any], mid: NDArray[Any], high: NDArray[Any]) -> NDArray[Any]:
        return np.where(young, low, np.where(middle, mid, high))

    def between(values: NDArray[Any], low: float, high: float) -> NDArray[Any]:
        return (values >= low) & (values <= high)

    rules = [
        young | ~middle,
        by_age(between(salary, 50, 100), between(salary, 75, 125), between(salary, 25, 75)),
        (2 * (salary + commission) / 3 - loan / 5 - 20) > 0,
        by_age(education <= 1, between(education, 1, 3), education >= 2),
    ]
    share = np.clip((np.arange(rows) / rows - np.array([[0.3], [0.55], [0.8]])) / 0.06, 0, 1)
    rule = (random.random((3, rows)) < share).sum(axis=0)
    places = np.array([f"z{number}" for number in range(9)])[place]
    columns = [salary, commission, age, np.array(list("abcde"))[education], places, house, loan]
    return columns, np.choose(rule, rules)


def led(random: Random, rows: int, noise: float) -> Drawn:
    """Which digit do the seven segments show? Ten other columns mean nothing, and twice all of them change places."""
    segments = (
        "1110111",
        "0010010",
        "1011101",
        "1011011",
        "0111010",
        "1101011",
        "1101111",
        "1010010",
        "1111111",
        "1111011",
    )
    shown = np.array([[int(lit) for lit in digit] for digit in segments])
    digit = random.integers(0, 10, rows)
    x = np.c_[shown[digit] ^ (random.random((rows, 7)) < noise), random.integers(0, 2, (rows, 10))]
    turn = in_turn(rows, 0.35, 0.7)
    orders = [np.arange(17), random.permutation(17), random.permutation(17)]
    moved = np.select([(turn == number)[:, None] for number in range(3)], [x[:, order] for order in orders])
    return list(moved.T.astype(float)), digit


def turning_plane(random: Random, rows: int) -> Drawn:
    """Take the side of a plane that turns into another, and that into a third."""
    weights = random.normal(size=(3, 6))
    time = np.arange(rows) / rows * 2
    number = np.minimum(time.astype(int), 1)
    share = (time - number)[:, None]
    plane = weights[number] * (1 - share) + weights[number + 1] * share
    x = random.normal(size=(rows, 6))
    return list(x.T), (x * plane).sum(axis=1) > 0


def moving_sea(random: Random, rows: int) -> Drawn:
    """Compare a sum with a limit that goes up and down; a third feature means nothing."""
    x = random.random((rows, 3)) * 10
    limit = 8 + 2.5 * np.sin(np.arange(rows) / rows * 7)
    return list(x.T), x[:, 0] + x[:, 1] <= limit


def recurring_clouds(random: Random, rows: int) -> Drawn:
    """Three classes of two clouds each, which go to other places and come back, four times."""
    there = random.normal(scale=1.6, size=(3, 2, 4))
    elsewhere = there + random.normal(scale=0.9, size=there.shape)
    state = in_turn(rows, 0.2, 0.4, 0.6, 0.8) % 2
    label, side = random.integers(0, 3, rows), random.integers(0, 2, rows)
    return list((np.array([there, elsewhere])[state, label, side] + random.normal(size=(rows, 4))).T), label


def spreading(random: Random, rows: int) -> Drawn:
    """One rule for good, of features that spread into regions never seen before."""
    width = 0.5 + 2.0 * np.arange(rows) / rows
    x = random.normal(size=(rows, 3)) * width[:, None]
    return list(x.T), np.sin(x[:, 0] * 1.5) + np.cos(x[:, 1] * 1.2) * x[:, 2] > 0


def changing_shares(random: Random, rows: int) -> Drawn:
    """Two classes of two clouds each, of which now one and now the other is frequent."""
    centres = random.normal(size=(2, 2, 5)) * 1.0
    share = 0.5 + 0.4 * np.sin(np.arange(rows) / rows * 8)
    label = (random.random(rows) < share).astype(int)
    side = random.integers(0, 2, rows)
    return list((centres[label, side] + random.normal(size=(rows, 5))).T), label


def wave_at_rest(random: Random, rows: int) -> Drawn:
    """Below a curve, and nothing changes."""
    x = random.random((rows, 4))
    return list(x.T), _below_wave(x)


def product_at_rest(random: Random, rows: int) -> Drawn:
    """Add a product and a number; nothing changes."""
    x = random.normal(size=(rows, 5))
    return list(x.T), x[:, 0] * x[:, 1] + x[:, 2] * 0.8 > 0


def _below_wave(x: Numbers) -> NDArray[np.bool_]:
    below: NDArray[np.bool_] = x[:, 1] <= 0.5 + 0.3 * np.sin(3 * np.pi * x[:, 0])
    return below


def in_turn(rows: int, *starts: float) -> NDArray[np.intp]:
    """Return which state each row is of, when the later ones begin at these shares of the rows."""
    return np.searchsorted(np.array(starts) * rows, np.arange(rows), side="right")


Family = Callable[[Random, int, float], Drawn]


def noisy(draw: Callable[[Random, int], Drawn]) -> Family:
    """Let a share of the labels be another class's."""

    def drawn(random: Random, rows: int, noise: float) -> Drawn:
        columns, classes = draw(random, rows)
        labels, count = classes.astype(int), int(classes.max()) + 1
        wrong = random.random(rows) < noise
        return columns, np.where(wrong, (labels + random.integers(1, count, rows)) % count, labels)

    return drawn


FAMILIES: dict[str, Family] = {
    "stagger": noisy(stagger),
    "elec": noisy(electricity),
    "sine": noisy(sine),
    "circles": noisy(circles),
    "agrawal": noisy(agrawal),
    "led": led,
    "gradplane": noisy(turning_plane),
    "incsea": noisy(moving_sea),
    "recblob": noisy(recurring_clouds),
    "covgrow": noisy(spreading),
    "prior": noisy(changing_shares),
    "nonesine": noisy(wave_at_rest),
    "noneagr": noisy(product_at_rest),
}
STREAMS = (
    ("stagger", 6_000, 0.05, 11),
    ("stagger", 10_000, 0.15, 12),
    ("stagger", 2_000, 0.1, 13),
    ("elec", 10_000, 0.0, 11),
    ("elec", 10_000, 0.05, 12),
    ("sine", 10_000, 0.1, 11),
    ("sine", 5_000, 0.2, 12),
    ("circles", 10_000, 0.05, 11),
    ("circles", 6_000, 0.1, 12),
    ("agrawal", 10_000, 0.05, 11),
    ("agrawal", 10_000, 0.1, 12),
    ("led", 10_000, 0.1, 11),
    ("led", 5_000, 0.05, 12),
    ("gradplane", 10_000, 0.05, 11),
    ("gradplane", 8_000, 0.15, 12),
    ("incsea", 10_000, 0.1, 11),
    ("incsea", 10_000, 0.05, 12),
    ("recblob", 10_000, 0.1, 11),
    ("recblob", 10_000, 0.05, 12),
    ("covgrow", 10_000, 0.05, 11),
    ("covgrow", 8_000, 0.1, 12),
    ("prior", 10_000, 0.1, 11),
    ("nonesine", 10_000, 0.1, 11),
    ("noneagr", 10_000, 0.2, 12),
    ("nonesine", 4_000, 0.05, 13),
    ("noneagr", 10_000, 0.05, 14),
)
"""Family, rows, share of wrong labels, seed."""


def write(folder: Path, family: str, rows: int, noise: float, seed: int) -> Path:
    """Write one stream; equal arguments give equal bytes."""
    columns, labels = FAMILIES[family](np.random.default_rng([seed, *family.encode()]), rows, noise)
    path = folder / f"{family}-{rows}-{int(noise * 100)}-{seed}.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*(f"x{place}" for place in range(len(columns))), "y"])
        cells = [
            column.tolist() if column.dtype.kind == "U" else column.astype(float).round(4).tolist()
            for column in columns
        ]
        writer.writerows(zip(*cells, labels.tolist(), strict=True))
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for stream in STREAMS:
        print(write(folder, *stream))


if __name__ == "__main__":
    main()
