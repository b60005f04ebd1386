"""The Merkle tree of the log (RFC 6962 §2.1), its tiles (C2SP tlog-tiles) and the completeness map.

Bytes to bytes: nothing here reads a clock, a file or a database.
"""
