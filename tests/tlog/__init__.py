"""Tools of other people (Go) against a live log: `scripts/test-tlog`."""
