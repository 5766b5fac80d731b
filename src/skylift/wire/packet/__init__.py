"""Packets through a link whose delay, rate and loss change: no socket; monotonic time is an argument."""
