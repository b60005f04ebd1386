"""Access decisions: the catalogue of permissions, reasons, rulesets (docs/spec/decisions.md). Pure functions only."""
