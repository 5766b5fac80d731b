"""Who may do what to which thing, and that it is done whole: one table of verbs for API, CLI and tests."""
