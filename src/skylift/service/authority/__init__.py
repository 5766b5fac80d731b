"""Whose word counts: authorities that the service knows, where, for what, and until when."""
