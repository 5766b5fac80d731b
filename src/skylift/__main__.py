"""`python -m skylift` is the command `skylift`."""

from __future__ import annotations

from skylift.cli.main import main

main()
