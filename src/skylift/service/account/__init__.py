"""Organisations, sites, people and what they may do; plans and what they allow."""
