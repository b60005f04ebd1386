"""Alerts over the stream of entries (docs/spec/risk.md). Pure: what was seen comes in, alerts come out."""
