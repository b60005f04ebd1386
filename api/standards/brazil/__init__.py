"""Open Finance Brasil, consents 3.3.1 (docs/standards/brazil.md)."""
