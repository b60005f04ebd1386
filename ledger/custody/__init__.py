"""Where private keys are kept: in a file, or in a place that uses them and never hands them out (docs/operating.md, «Keys
in hardware»)."""
