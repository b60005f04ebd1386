"""Coverage-guided fuzzing of one parser: `python -m tests.attacks.fuzz NAME SECONDS CORPUS`. Ends with 0 if nothing was found.

Whatever a parser raises but its two ways of refusing is a find; so is anything that it takes and does not write back as it was.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["verifier"]):
    from tests.verifier import parsers as known
    from tests.verifier.cases import honest
    from verifier.audit.pack_items import parse_head, parse_item
    from verifier.audit.receipt import parse_receipt
    from verifier.bytes.encoding import decode_canonical, encode_canonical
    from verifier.errors import CannotCheck, Refuted
    from verifier.records.leaf import parse_leaf
    from verifier.tlog.proof import parse_proof

CANONICAL = {
    "canonical": lambda data: encode_canonical(decode_canonical(data, 10_000)),
    "proof": lambda d: parse_proof(d).text(),
}
"""Parsers of what has one spelling, each with its writer."""
PARSERS = {
    **known.PARSERS,
    **CANONICAL,
    "leaf": parse_leaf,
    "receipt file": parse_receipt,
    "pack head": parse_head,
    "pack item": parse_item,
}


def seeds() -> list[bytes]:
    """Genuine inputs to begin with."""
    _, world = honest()
    return [*known.GENUINE, *world.entries[:12], world.proof(9)]


def main() -> None:
    name, seconds, corpus = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds()):
        (corpus / f"genuine-{number}").write_bytes(seed)
    parse = PARSERS[name]

    def once(data: bytes) -> None:
        try:
            written = parse(data)
        except (Refuted, CannotCheck):
            return
        if name in CANONICAL and written != data:
            raise AssertionError("accepted, and not what it writes")

    atheris.Setup([sys.argv[0], f"-max_total_time={seconds}", "-max_len=4096", "-verbosity=0", str(corpus)], once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
