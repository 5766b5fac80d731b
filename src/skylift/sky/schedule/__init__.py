"""Which beam serves which cell in a slot, over which gateway, for which share of it."""
