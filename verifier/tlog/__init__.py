"""Transparency-log formats: notes, checkpoints, policies, proofs, tiles, witnesses."""
