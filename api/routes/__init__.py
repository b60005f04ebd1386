"""Routes, one module per subject; each reaches the core through `Ledger` and its queries only."""
