"""That a table was taken in: from what plan, by whom, and how far it has come."""
