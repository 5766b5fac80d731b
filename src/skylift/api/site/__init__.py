"""The people's pages: HTML from the server, forms from the table of verbs. All that they do, the doors do."""
