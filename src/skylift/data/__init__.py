"""Packaged data, each with where it is from, its licence and how it was made."""
