"""Questions with an answer. They return results and print nothing."""
