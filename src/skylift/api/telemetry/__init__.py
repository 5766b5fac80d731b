"""Telemetry over HTTP: signed posts of agents, and what people and programs read of them."""
