"""A camera that photographs handwritten digits: slightly shifted, noisy, and turned when somebody bumps into it."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from evermodel_runtime.data.bundled import bundled_csv

SIDE = 8
WHITE = 16
Image = NDArray[np.float64]


@dataclass(slots=True)
class Camera:
    """Photographs of digits that are not in the training file.

    Parameters
    ----------
    images : array of shape (n, 8, 8)
        Clean images, 0 to 16.
    labels : array of shape (n,)
        The digit on each.
    random : numpy Generator
        Decides which digit comes and how it is shifted.
    quarter_turns : int
        How often the camera was turned by 90 degrees.
    """

    images: NDArray[np.float64]
    labels: NDArray[np.int64]
    random: np.random.Generator
    quarter_turns: int = field(default=0)

    @classmethod
    def of_rows_after(cls, first_row: int, *, seed: int) -> Camera:
        """Photograph the bundled digits from ``first_row`` on: the training file ends before it."""
        rows = list(csv.DictReader(io.StringIO(bundled_csv("digits", f"{first_row}:").decode())))
        pixels = [[float(value) for name, value in row.items() if name != "target"] for row in rows]
        labels = [int(row["target"]) for row in rows]
        return cls(np.array(pixels).reshape(-1, SIDE, SIDE), np.array(labels), np.random.default_rng(seed))

    def turn(self) -> None:
        """Turn the camera by 90 degrees."""
        self.quarter_turns += 1

    def photograph(self) -> tuple[list[float], int]:
        """Return one photograph as 64 pixels in rows, and the digit that it shows."""
        index = int(self.random.integers(len(self.labels)))
        image = np.rot90(self.images[index], self.quarter_turns)
        if self.random.random() < 0.2:  # now and then the sheet is not quite in place
            down, right = self.random.uniform(-0.3, 0.3, 2)
            image = _shifted(_shifted(image, down).T, right).T
        noise = self.random.normal(0, 0.7, image.shape) * (image > 0)
        return np.clip(np.rint(image + noise), 0, WHITE).ravel().tolist(), int(self.labels[index])


def _shifted(image: Image, by: float) -> Image:
    """Move an image down by a part of a pixel, with what comes in from outside being blank."""
    neighbour = np.zeros_like(image)
    if by > 0:
        neighbour[1:] = image[:-1]
    else:
        neighbour[:-1] = image[1:]
    return (1 - abs(by)) * image + abs(by) * neighbour
