"""A node: settings, and the ledger, keys and queues built from them."""
