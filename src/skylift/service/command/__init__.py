"""Commands to dishes: what was asked of one, its owner's consent, and many at once with their brakes."""
