"""Catalogues, generated constellations, SGP4, and positions fixed to the Earth."""
