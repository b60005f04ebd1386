"""UK Open Banking Read/Write: account access consents and events, v4.0 and v3.1.11 (docs/standards/uk.md)."""
