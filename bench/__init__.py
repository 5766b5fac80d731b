"""Side-by-side measurements: ours and a peer's, same input and threads, alternating, in one run."""
