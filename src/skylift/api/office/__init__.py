"""The doors of the office: its verbs as HTTP, logins and tokens, permission, the journal as it grows."""
