"""A stock OAuth client, in Node, against a live ledger (`scripts/test-oauth`)."""
