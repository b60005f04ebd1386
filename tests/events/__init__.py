"""Telling the parties of consents."""
