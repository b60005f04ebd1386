"""What the verifier says: words in both languages, terminal, JSON lines, report, PDF."""
