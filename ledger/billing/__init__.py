"""Months, lines of tariffs and what they come to (docs/spec/partners.md). Pure."""
