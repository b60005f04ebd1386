"""Signed notes, checkpoints, cosignatures and proof files, as C2SP publishes them.

Text and bytes in, text and bytes out: nothing here reads a clock, a file or a database.
"""
