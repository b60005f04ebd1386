"""Entry bundles read back: the ledger writes them and never reads one."""

from __future__ import annotations

from ledger.errors import BadEncoding


def decode_bundle(bundle: bytes, width: int) -> list[bytes]:
    """The entries of a bundle that must hold exactly `width`, no byte more or less. Raises BadEncoding."""
    entries: list[bytes] = []
    at = 0
    while at < len(bundle):
        begin = at + 2
        at = begin + int.from_bytes(bundle[at:begin], "big")
        if begin > len(bundle) or at > len(bundle):
            raise BadEncoding("the bundle ends inside an entry")
        entries.append(bundle[begin:at])
        if len(entries) > width:
            break
    if len(entries) != width or not entries:
        raise BadEncoding(f"the bundle does not hold exactly {width} entries")
    return entries
