"""What every room shares: instants, units, errors, geodesy, places, seeded randomness, the link types."""
