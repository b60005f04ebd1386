"""The log's records: leaves, statements, terms, evidence, in their one spelling."""
