"""The core of the consent ledger: log, proofs, consent rules, receipts. It knows no HTTP."""
