"""Installs and active use of the app, by country and day, without tracking anybody."""
