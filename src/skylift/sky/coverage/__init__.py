"""Sites, what they see of the sky, and cells on the ground."""
