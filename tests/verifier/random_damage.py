"""One changed byte in an honest bundle, and whether the audit says where."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

from tests.verifier.auditing import audit
from tests.verifier.cases import Files, honest
from tests.verifier.forge import World
from verifier.errors import CannotCheck


def damage(dice: random.Random, files: Files, world: World) -> tuple[str, int | None]:
    """Change one byte of one file (inside the compression of evidence); its name and the entry it belongs to."""
    name = dice.choice([name for name in files if name != "policy"])
    plain = name.endswith(".gz")
    content = bytearray(gzip.decompress(files[name]) if plain else files[name])
    at = dice.randrange(len(content))
    if name == "manifest.json":  # when it was made is nobody's signed word: any number is a number
        at = content.index(b"evidence") + at % (len(content) - content.index(b"evidence"))
    content[at] ^= 1 << dice.randrange(8)
    files[name] = gzip.compress(bytes(content), 1) if plain else bytes(content)
    if name.startswith("tile/entries/"):
        index = 256 * int(name.split("/")[2].split(".")[0])
        for entry in world.entries[index : index + 256]:
            at -= 2 + len(entry)
            if at < 0:
                return name, index
            index += 1
    if name.startswith("tile/0/"):
        return name, 256 * int(name.split("/")[2].split(".")[0]) + at // 32
    if plain:
        return name, sorted(world.evidence)[bytes(content[:at]).count(b"\n")] if content[at] != 10 else None
    return name, None


def check_damage(seed: int, root: Path) -> None:
    """One random change is refuted, at the entry or in the file where it was made."""
    dice = random.Random(seed)
    files, world = honest()
    files = dict(files)
    name, index = damage(dice, files, world)
    try:
        found = audit(files, world, root).findings
    except CannotCheck:  # a format it does not know: exit status 2, never 0
        assert name == "manifest.json"
        return
    assert found.count, (seed, name)
    places = {defect.place.index for defect in found.defects} | {defect.place.file for defect in found.defects}
    assert name in places or (index is not None and index in places), (seed, name, index, found.defects[:4])
