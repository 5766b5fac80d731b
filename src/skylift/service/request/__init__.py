"""A call for help, from whoever and through whatever channel, until it is answered."""
