"""The sequencer: many submitters, one order. It alone decides, numbers, chains and signs."""
