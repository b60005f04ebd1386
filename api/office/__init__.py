"""The ledger for outward standards: the gateway, its configuration, the acts it signs."""
