"""Operating software of a low-Earth-orbit satellite-internet service."""

__version__ = "0.1.0"
