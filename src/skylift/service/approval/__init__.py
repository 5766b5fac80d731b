"""What needs two people: the exact change, and who agreed to it."""
