"""Real bytes: protocol engines that own no socket and no clock."""
