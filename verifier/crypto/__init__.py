"""Signature checks: three pure-Python ones that can be read (`ed25519`, `p256`, `rsa`), `keys` for what a public
key is, and `backend`, which prefers a fast library and gives the same verdicts."""
