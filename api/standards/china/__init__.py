"""An interface in the manner of China's JR/T 0185-2020 (docs/standards/china.md)."""
