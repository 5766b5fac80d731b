"""An outage: opened by a detector, confirmed by a person, explained, told to the public after a while."""
