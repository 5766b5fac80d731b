"""How strong a link is: power, antennas, air, noise, interference, and the bits that come of it."""
