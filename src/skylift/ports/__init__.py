"""Protocols that the inner rooms name and adapters fill; they name base types only."""
