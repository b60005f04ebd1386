"""Australia's Consumer Data Right, standards 1.36.0 (docs/standards/cdr.md)."""
