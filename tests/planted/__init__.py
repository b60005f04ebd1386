"""How good the rules of docs/spec/risk.md are: ordinary months, attacks planted in them, what was found (docs/risk.md)."""
