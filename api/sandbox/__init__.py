"""Logs for trying out, with customers who answer as scripted, banks with samples, faults on request (docs/sandbox.md)."""
