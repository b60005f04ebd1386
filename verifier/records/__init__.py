"""What the log records: leaves, statements, terms, evidence, in their one spelling."""
