"""Read-only questions about the log, each answered from one snapshot."""
