"""Publishing a log as files (docs/operating.md)."""
