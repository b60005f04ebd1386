"""Hostile changes of genuine bytes: blind ones, and ones that know the format. The same dice make the same change."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence

PIECES = (
    b"",
    b"\n",
    b"\n\n",
    b" ",
    b"\0",
    b"=",
    b"0",
    b"-",
    b"+",
    b"\xff",
    b"\xe2",
    b"\r",
    b"\t",
    b"/",
    b"\\u0041",
    b'"',
    b"{",
    "—".encode(),
    "٣".encode(),
    "é".encode(),
    "\u202e".encode(),
    b"9" * 30,
    b"A" * 44,
)
NUMBERS = (-1, 0, 1, 2, 255, 256, 2**31, 2**53 - 1, 2**53, 2**63 - 1, 2**63, 2**64, 10**40)


def flip(dice: random.Random, whole: bytes) -> bytes:
    """One bit."""
    at = dice.randrange(len(whole))
    return whole[:at] + bytes([whole[at] ^ 1 << dice.randrange(8)]) + whole[at + 1 :]


def replace(dice: random.Random, whole: bytes) -> bytes:
    """A short stretch becomes another, or nothing."""
    start = dice.randrange(len(whole))
    return whole[:start] + dice.choice(PIECES) + whole[start + dice.randrange(8) :]


def repeat(dice: random.Random, whole: bytes) -> bytes:
    """A stretch comes twice."""
    start = dice.randrange(len(whole))
    end = start + dice.randrange(1, 90)
    return whole[:end] + whole[start:]


def cut(dice: random.Random, whole: bytes) -> bytes:
    """The end is missing."""
    return whole[: dice.randrange(len(whole))]


def exchange(dice: random.Random, whole: bytes) -> bytes:
    """Two lines change places, or one takes the place of another."""
    lines = whole.split(b"\n")
    a, b = dice.randrange(len(lines)), dice.randrange(len(lines))
    lines[a], lines[b] = lines[b], lines[a] if dice.random() < 0.7 else lines[b]
    return b"\n".join(lines)


def number(dice: random.Random, whole: bytes) -> bytes:
    """A run of digits becomes another number."""
    places = [at for at, c in enumerate(whole) if 48 <= c < 58]
    if not places:
        return flip(dice, whole)
    start = end = dice.choice(places)
    while end < len(whole) and 48 <= whole[end] < 58:
        end += 1
    return whole[:start] + str(dice.choice(NUMBERS)).encode() + whole[end:]


def graft(dice: random.Random, whole: bytes, others: Sequence[bytes]) -> bytes:
    """The end of another genuine one."""
    other = dice.choice(others)
    at = dice.randrange(min(len(whole), len(other)))
    return whole[:at] + other[at:]


BLIND: tuple[Callable[[random.Random, bytes], bytes], ...] = (flip, flip, replace, repeat, cut, exchange, number)


def blind(dice: random.Random, whole: bytes, others: Sequence[bytes]) -> bytes:
    """One change that knows nothing of the format, seldom two."""
    changed = graft(dice, whole, others) if dice.random() < 0.1 else dice.choice(BLIND)(dice, whole)
    return dice.choice(BLIND)(dice, changed) if changed and dice.random() < 0.15 else changed


def member(dice: random.Random, whole: bytes, others: Sequence[bytes]) -> bytes:
    """One member of a JSON object: changed inside, exchanged with that of another genuine object, of another type, or gone."""
    members = json.loads(whole)
    name = dice.choice(sorted(members))
    value, fate = members[name], dice.randrange(7)
    if fate == 0:
        del members[name]
    elif fate == 1:
        members[name] = dice.choice([None, True, [], {}, "", 0.5, dice.choice(NUMBERS), [value], {name: value}])
    elif fate == 2:
        members[dice.choice(["extra", "v2", name.upper(), "__proto__"])] = value
    elif fate == 3:
        members[name] = json.loads(dice.choice(others)).get(name)
    elif isinstance(value, str) and value:
        members[name] = blind(dice, value.encode(), [value.encode()]).decode("utf-8", "replace")
    elif isinstance(value, list) and value:
        value.insert(dice.randrange(len(value)), value.pop()) if fate == 4 else value.pop()
    else:
        members[name] = dice.choice(NUMBERS)
    return json.dumps(members, ensure_ascii=dice.random() < 0.05, separators=(",", ":"), sort_keys=True).encode(
        "utf-8", "surrogatepass"
    )
