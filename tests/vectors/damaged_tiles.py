"""Cases: bundles of more than one tile (verdicts.md, steps 4.1 and 5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.vectors.cases import Lie, case
from tests.vectors.log import Files
from tests.vectors.story import Story

ABOVE = "tile/1/000.p/2"


def tall(*steps: str, **shape: Any) -> Callable[[Lie], Lie]:
    """A case about a log of 518 entries: two full tiles and a part of a third one, and a tile above them."""
    return case(*steps, base="two-levels", at=None, **shape)


def changed(log: Story, name: str, at: int) -> Files:
    """The bundle with one byte of a file changed."""
    files = log.files()
    content = bytearray(files[name])
    content[at] ^= 1
    return {**files, name: bytes(content)}


@tall(exit=0)
def _an_honest_log_of_two_levels(log: Story) -> None:
    """518 entries: tiles 0 and 1 are full, tile 2 has 6 hashes, and the tile above has 2."""


@tall(exit=0)
def _two_full_tiles_and_no_more(log: Story) -> Files:
    """512 entries: there is no partial tile at level 0."""
    return log.cut(512).files()


@tall("5.5", told=(("BAD_PROOF", ABOVE),))
def _a_wrong_hash_in_an_upper_tile(log: Story) -> Files:
    """The roots of the tiles below are other ones: told at the upper tile's file."""
    return changed(log, ABOVE, 40)


@tall("5.2", told=(("BAD_PROOF", ABOVE),))
def _an_upper_tile_that_is_missing(log: Story) -> Files:
    """Whoever reads one entry's proof from the bundle needs it."""
    return {name: content for name, content in log.files().items() if name != ABOVE}


@tall("5.2", told=(("BAD_ENCODING", ABOVE),))
def _an_upper_tile_of_half_a_hash_more(log: Story) -> Files:
    """A tile has 32 bytes for each hash."""
    return {**log.files(), ABOVE: log.files()[ABOVE] + bytes(16)}


@tall("4.1", told=(("BAD_ENCODING", "tile/0/000.p/255"),))
def _a_part_of_a_tile_beside_the_full_one(log: Story) -> Files:
    """Exactly the widths that the size implies."""
    files = log.files()
    return {**files, "tile/0/000.p/255": files["tile/0/000"][:-32]}


@tall("5.3", "5.5", told=(("BAD_PROOF", 300),))
def _a_wrong_hash_in_the_second_tile(log: Story) -> Files:
    """The entry is not the one of its tile; what the tile above says of a wrong tile is not asked."""
    return changed(log, "tile/0/001", 32 * (300 - 256))


@tall("5.1", told=(("BAD_ENCODING", 256),))
def _the_second_entry_bundle_is_missing(log: Story) -> Files:
    """Told once, at the first entry that is not there."""
    return {name: content for name, content in log.files().items() if name != "tile/entries/001"}
