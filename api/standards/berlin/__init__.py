"""Berlin Group NextGenPSD2 1.3.x: account information consents (docs/standards/berlin.md)."""
