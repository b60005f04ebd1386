"""The permission dashboard of the EU's Payment Services Regulation, art. 43 (docs/standards/psr.md)."""
