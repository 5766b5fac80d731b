"""Whatever touches disk, socket, kernel, process or clock."""
