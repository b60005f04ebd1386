"""Database engines: one module each, behind the contract in `driver`."""
