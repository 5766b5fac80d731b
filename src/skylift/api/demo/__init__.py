"""A demonstration: who plays whom, the story as it is played, and DEMO on every page and answer."""
