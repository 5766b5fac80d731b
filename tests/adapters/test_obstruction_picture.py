"""The picture of what stands before a dish: its colours, and nothing that the library warns of."""

from __future__ import annotations

import io
import warnings

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from skylift.adapters.pictures_obstructions import BLOCKED, CLEAR, UNSEEN, png_of


def test_unseen_blocked_and_clear_have_colours_of_their_own() -> None:
    seen = {"rows": 2, "columns": 2, "frame": "earth", "values": [-1.0, -1.0, 0.0, 1.0]}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pixels = imread(io.BytesIO(png_of("sky of a dish", seen)))[..., :3]
    # The first row is at the top: both of its directions are not seen yet.
    height, width = pixels.shape[:2]
    corners = [
        pixels[height * y // 100, width * x // 100] for y, x in ((30, 20), (30, 60), (75, 20), (75, 60))
    ]
    for corner, colour in zip(corners, (UNSEEN, UNSEEN, BLOCKED, CLEAR), strict=True):
        np.testing.assert_allclose(corner, to_rgb(colour), atol=0.05)
