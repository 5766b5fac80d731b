"""The dish's local interface: messages, an emulated dish, and what is read from a real one."""
