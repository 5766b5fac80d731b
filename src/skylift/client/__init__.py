"""A client of our own HTTP API, for the command line."""
