"""What partners do for themselves: coming in, being billed, showing that their systems work (docs/partners.md)."""
