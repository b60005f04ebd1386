"""Client and guard for consent ledgers.

`client` signs statements and verifies what comes back, `guard` stands before a bank's own routes, `receipts` reads receipt
files without a network. Each is imported by its own name, so that nobody loads what is not used.
"""
