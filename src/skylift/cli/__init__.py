"""One command, skylift."""
