"""The service's store, with SQLAlchemy on SQLite or PostgreSQL."""
