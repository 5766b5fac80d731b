"""Where service is allowed, by which papers, and in which cells it is on."""
