"""The independent verifier of the consent ledger.

It trusts keys and a policy that the auditor brings along, nothing else, and shares no code with the ledger: every
module here is written from the published standards and from docs/spec. Start reading at `errors` (what can be
said), then `encoding`, `merkle`, `note`, `policy`. Importing this package loads nothing: each module is imported where
it is needed, so that a short command starts fast.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - whoever starts it with an older one is told so, in words
    found = ".".join(map(str, sys.version_info[:2]))
    sys.stderr.write("consent-verify needs Python 3.11 or newer, this is " + found + ": nothing was checked\n")
    sys.exit(2)
