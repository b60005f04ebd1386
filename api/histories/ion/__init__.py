"""Amazon Ion, read strictly and within bounds: binary, text, and the Ion Hash of a value (amazon-ion.github.io)."""
