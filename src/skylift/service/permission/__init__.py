"""May this terminal be served here and now? An AND of all that others decided, with reasons."""
