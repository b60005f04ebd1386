"""Failovers of a whole set-up under load: `scripts/failover` (docs/failover.md). No tests of the suite, but for its own."""
