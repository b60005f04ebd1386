"""The rules, replayed in log order from the evidence alone."""
