"""Dishes' reports on SQLite or PostgreSQL, in tables of their own beside the service's store."""
