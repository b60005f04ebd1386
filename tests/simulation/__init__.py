"""A deterministic simulation of the ledger's nodes, their databases and machines; and a model of them (docs/simulation.md)."""
