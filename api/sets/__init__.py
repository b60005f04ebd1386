"""A head log's part in a set of logs: it asks the shards for their heads, and commits to them (docs/sets.md)."""
