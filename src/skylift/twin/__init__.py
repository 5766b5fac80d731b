"""Where the streets meet: look, choose, tick."""
