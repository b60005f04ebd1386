"""Reports: periods, counts and the CSV (docs/spec/reports.md). Pure."""
