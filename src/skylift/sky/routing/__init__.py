"""Lasers, gateways, points of presence, and lowest-delay routes."""
