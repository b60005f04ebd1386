"""What every outward standard needs of the ledger: the gateway, its configuration, the acts it signs."""
