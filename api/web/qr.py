"""QR codes (ISO/IEC 18004) for what is printed: byte mode, error correction M, versions 1 to 6: room for an address of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Final

from ledger.errors import InvalidInput

Matrix = list[list[bool]]
BLOCKS: Final = ((10, 1, 16), (16, 1, 28), (26, 1, 44), (18, 2, 32), (24, 2, 43), (16, 4, 27))
"""By version, at error correction M: check bytes of each block, number of blocks, content bytes of each (table 9)."""
MOST: Final = 106
"""The most bytes that version 6 holds, beside mode and length."""
MASKS: Final[tuple[Callable[[int, int], bool], ...]] = (
    lambda row, column: (row + column) % 2 == 0,
    lambda row, _: row % 2 == 0,
    lambda _, column: column % 3 == 0,
    lambda row, column: (row + column) % 3 == 0,
    lambda row, column: (row // 2 + column // 3) % 2 == 0,
    lambda row, column: row * column % 2 + row * column % 3 == 0,
    lambda row, column: (row * column % 2 + row * column % 3) % 2 == 0,
    lambda row, column: ((row + column) % 2 + row * column % 3) % 2 == 0,
)
FINDER_LIKE: Final = ((True, False, True, True, True, False, True, False, False, False, False),)


def qr_matrix(text: str) -> Matrix:
    """The modules of a code, row by row, True for dark; without the quiet zone. Raises InvalidInput beyond MOST bytes."""
    content = text.encode()
    if len(content) > MOST:
        raise InvalidInput(f"a code holds {MOST} bytes, not {len(content)}")
    version = next(number for number, (_, blocks, size) in enumerate(BLOCKS, 1) if blocks * size - 2 >= len(content))
    size = 17 + 4 * version
    base, taken = _patterns(version, size)
    places = list(_places(size, taken))
    bits = [byte >> (7 - bit) & 1 for byte in _codewords(content, version) for bit in range(8)]
    bits += [0] * (len(places) - len(bits))
    best: tuple[int, Matrix] | None = None
    for number, mask in enumerate(MASKS):
        made = [row[:] for row in base]
        for (row, column), bit in zip(places, bits, strict=True):
            made[row][column] = bool(bit) != mask(row, column)
        _write_format(made, size, number)
        penalty = _penalty(made)
        if best is None or penalty < best[0]:
            best = penalty, made
    if best is None:
        raise AssertionError("there are masks")
    return best[1]


def qr_path(text: str) -> tuple[str, int]:
    """The same as the path of an SVG with four modules of quiet zone around it, and its width in modules."""
    matrix = qr_matrix(text)
    dark = "".join(
        f"M{column + 4} {row + 4}h1v1h-1z" for row, line in enumerate(matrix) for column, on in enumerate(line) if on
    )
    return dark, len(matrix) + 8


# -- content ------------------------------------------------------------------------------------------------------------


def _codewords(content: bytes, version: int) -> Iterator[int]:
    check, blocks, size = BLOCKS[version - 1]
    number = 0b0100 << 8 | len(content)  # byte mode, then the length
    number = number << 8 * len(content) | int.from_bytes(content)
    data = (number << 4).to_bytes(len(content) + 2)  # four bits of zero end it
    data += bytes(0xEC if place % 2 == 0 else 0x11 for place in range(blocks * size - len(data)))
    parts = [data[size * block : size * (block + 1)] for block in range(blocks)]
    checks = [_remainder(part, check) for part in parts]
    for group, length in ((parts, size), (checks, check)):
        for place in range(length):
            yield from (part[place] for part in group)


def _times(one: int, other: int) -> int:
    """The product in GF(256) modulo x⁸ + x⁴ + x³ + x² + 1."""
    found = 0
    while other:
        found ^= one if other & 1 else 0
        one = one << 1 ^ (0x11D if one & 0x80 else 0)
        other >>= 1
    return found


def _remainder(data: bytes, count: int) -> bytes:
    """The check bytes of Reed and Solomon."""
    generator, root = [1], 1
    for _ in range(count):
        longer = [*generator, 0]
        for place, factor in enumerate(generator):
            longer[place + 1] ^= _times(factor, root)
        generator, root = longer, _times(root, 2)
    rest = [*data, *([0] * count)]
    for place in range(len(data)):
        factor = rest[place]
        for step, each in enumerate(generator):
            rest[place + step] ^= _times(each, factor)
    return bytes(rest[len(data) :])


# -- modules ------------------------------------------------------------------------------------------------------------


def _patterns(version: int, size: int) -> tuple[Matrix, Matrix]:
    """What stands in every code of a version, and which modules are taken by it."""
    made: Matrix = [[False] * size for _ in range(size)]
    taken: Matrix = [[False] * size for _ in range(size)]

    def put(row: int, column: int, *, dark: bool) -> None:
        if 0 <= row < size and 0 <= column < size:
            made[row][column], taken[row][column] = dark, True

    for place in range(size):
        put(6, place, dark=place % 2 == 0)
        put(place, 6, dark=place % 2 == 0)
    squares = [(3, 3, 4, {2, 4}), (3, size - 4, 4, {2, 4}), (size - 4, 3, 4, {2, 4})]
    squares += [(size - 7, size - 7, 2, {1})] if version > 1 else []
    for top, left, reach, light in squares:
        for row, column in product(range(-reach, reach + 1), repeat=2):
            put(top + row, left + column, dark=max(abs(row), abs(column)) not in light)
    for place in range(9):
        for row, column in ((8, place), (place, 8), (8, size - 1 - place), (size - 1 - place, 8)):
            if (row, column) != (8, size - 9) and (row, column) != (size - 9, 8):
                taken[row][column] = True
    put(size - 8, 8, dark=True)
    return made, taken


def _places(size: int, taken: Matrix) -> Iterator[tuple[int, int]]:
    """Free modules in the order of the bits: pairs of columns from the right, upwards and downwards in turn."""
    up = True
    for right in (*range(size - 1, 6, -2), 5, 3, 1):
        for step in range(size):
            row = size - 1 - step if up else step
            yield from ((row, column) for column in (right, right - 1) if not taken[row][column])
        up = not up


def _write_format(made: Matrix, size: int, mask: int) -> None:
    """Error correction M (00) and the mask, twice, with ten check bits (BCH)."""
    rest = mask << 10
    for bit in range(14, 9, -1):
        if rest >> bit & 1:
            rest ^= 0x537 << bit - 10
    bits = (mask << 10 | rest) ^ 0x5412
    on = [bool(bits >> place & 1) for place in range(15)]
    first = [*((row, 8) for row in range(6)), (7, 8), (8, 8), (8, 7), *((8, column) for column in range(5, -1, -1))]
    second = [*((8, size - 1 - place) for place in range(8)), *((size - 7 + place, 8) for place in range(7))]
    for places in (first, second):
        for (row, column), dark in zip(places, on, strict=True):
            made[row][column] = dark


def _penalty(made: Matrix) -> int:
    """How hard a code is to read (7.8.3)."""
    size, found = len(made), 0
    for lines in (made, [list(column) for column in zip(*made, strict=True)]):
        for line in lines:
            found += _runs(line)
            for pattern in (FINDER_LIKE[0], FINDER_LIKE[0][::-1]):
                found += 40 * sum(tuple(line[at : at + 11]) == pattern for at in range(size - 10))
    for row in range(size - 1):
        for column in range(size - 1):
            found += 3 * (
                made[row][column : column + 2] == made[row + 1][column : column + 2] and _same(made, row, column)
            )
    dark = sum(map(sum, made)) * 100 // (size * size)
    return found + 10 * (abs(dark - 50) // 5)


def _same(made: Matrix, row: int, column: int) -> bool:
    return made[row][column] == made[row][column + 1]


def _runs(line: Sequence[bool]) -> int:
    found, run = 0, 1
    for before, after in zip(line, [*line[1:], None], strict=True):
        if before == after:
            run += 1
            continue
        found += run - 2 if run >= 5 else 0
        run = 1
    return found
