"""Access tokens: the embedded token service, and the checks of tokens and their proofs of possession."""
