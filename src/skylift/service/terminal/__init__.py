"""A dish from the factory to its last day: who has it, may it speak."""
