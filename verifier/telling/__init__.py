"""The verifier's output: words in both languages, terminal, JSON lines, report, PDF."""
