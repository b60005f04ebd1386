"""What is written and signed: statements, leaves, evidence (docs/spec/statements.md, leaves.md)."""
