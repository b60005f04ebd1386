"""Whole files: bundles, receipts, packs, completeness files, read in one pass and judged."""
