"""Consent grants in the manner of FDX 6, under the CFPB's 12 CFR part 1033 (docs/standards/fdx.md)."""
