"""Account Aggregator (ReBIT 2.0.0 and 2.1.0): this ledger as the aggregator between FIU and FIP (docs/standards/india.md)."""
