"""HTTP, live stream, and the page."""
