"""Who can hear whom, and how well: arrays in, arrays out, pure functions of (catalogue, time)."""
