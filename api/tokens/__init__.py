"""Access tokens: the embedded token service, and what checks tokens and their proofs of possession."""
