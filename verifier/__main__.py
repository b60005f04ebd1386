"""`python -m verifier`, and the entry of the single-file build."""

import sys

from verifier.cli import main

if __name__ == "__main__":
    sys.exit(main())
