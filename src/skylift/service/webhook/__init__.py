"""Who is told of what happens, by HTTP: subscriptions, and how often they are tried."""
