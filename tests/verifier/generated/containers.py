"""What a bundle may come in: a zip, packed in any of the ways that are one, and in ways that are none or read as two."""

from __future__ import annotations

import io
import random
import stat
import struct
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.verifier.generated.damage import Files, Told, one

ITSELF = "the zip itself"
"""Stands for the path of the container where a place is told."""
BOMB = 8 << 20
"""Bytes that a small member is inflated to; each file here is bounded below that."""


@dataclass(frozen=True)
class Container:
    """`pack` gives the bytes of a zip of a legal bundle, and says what must be told of it; `exactly`: and nothing else."""

    name: str
    pack: Callable[[Files, random.Random], tuple[bytes, Told]]
    exit: int = 1
    exactly: bool = True


CONTAINERS: list[Container] = []


def container(*, exit: int = 1, exactly: bool = True) -> Callable[..., Any]:
    def keep(pack: Callable[[Files, random.Random], tuple[bytes, Told]]) -> Callable[..., tuple[bytes, Told]]:
        CONTAINERS.append(Container(pack.__name__.strip("_").replace("_", " "), pack, exit, exactly))
        return pack

    return keep


@dataclass
class Member:
    """One file in a zip; `mode` is what Unix would call it."""

    name: str
    content: bytes
    method: int = zipfile.ZIP_DEFLATED
    mode: int = stat.S_IFREG | 0o644


def members(files: Files, dice: random.Random) -> list[Member]:
    """The files in any order, each stored or deflated."""
    chosen = [Member(name, content, dice.choice((zipfile.ZIP_STORED, 8))) for name, content in files.items()]
    if dice.random() < 0.5:
        dice.shuffle(chosen)
    return chosen


def packed(chosen: list[Member]) -> bytes:
    """The zip of these members, in this order."""
    made = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of names that occur twice
        with zipfile.ZipFile(made, "w") as archive:
            for member in chosen:
                info = zipfile.ZipInfo(member.name)
                info.compress_type, info.external_attr = member.method, member.mode << 16
                archive.writestr(info, member.content)
    return made.getvalue()


def patched(raw: bytes, name: str, offset: int, value: bytes) -> bytes:
    """The zip with other bytes at `offset` of the record that its directory has of a member."""
    place = raw.rindex(b"PK\1\2", 0, raw.rindex(name.encode()))
    at = place + offset
    return raw[:at] + value + raw[at + len(value) :]


@container(exit=0)
def _stored_or_deflated_in_any_order(files: Files, dice: random.Random) -> tuple[bytes, Told]:
    return packed(members(files, dice)), set()


@container(exit=0)
def _with_its_folders(files: Files, dice: random.Random) -> tuple[bytes, Told]:
    folders = [
        Member(name, b"", 0, stat.S_IFDIR | 0o755) for name in ("tile/", "tile/0/", "tile/entries/", "evidence/")
    ]
    chosen = [*folders, *members(files, dice)]
    dice.shuffle(chosen)
    return packed(chosen), set()


@container()
def _a_member_comes_twice(files: Files, dice: random.Random) -> tuple[bytes, Told]:
    chosen = members(files, dice)
    twice = dice.choice(chosen)
    chosen.insert(dice.randrange(len(chosen) + 1), twice)
    return packed(chosen), {("BAD_ENCODING", twice.name)}


@container(exactly=False)
def _a_name_has_two_contents(files: Files, dice: random.Random) -> tuple[bytes, Told]:
    chosen = [member for member in members(files, dice) if member.name != "manifest.json"]
    twice = dice.choice(chosen)
    other = Member(twice.name, dice.choice((b"", twice.content[:-1], twice.content + b"x", dice.randbytes(40))))
    chosen.insert(dice.randrange(len(chosen) + 1), other)
    return packed([*chosen, Member("manifest.json", files["manifest.json"])]), {("BAD_ENCODING", twice.name)}


@container()
def _a_path_leads_elsewhere(files: Files, dice: random.Random) -> tuple[bytes, Told]:
    """Nothing is ever unpacked: such a name is one that does not belong."""
    name = dice.choice(
        ("/etc/passwd", "../checkpoint", "tile/../checkpoint", "//policy", "C:\\policy", "./policy", "tile\\0")
    )
    return packed([*members(files, dice), Member(name, b"x")]), {("BAD_ENCODING", name)}


@container()
def _a_folder_has_content(files: Files, dice: random.Random) -> tuple[bytes, Told]:
    return packed([Member("tile/", b"content"), *members(files, dice)]), {("BAD_ENCODING", "tile/")}


@container()
def _a_member_is_a_link_or_a_device(files: Files, dice: random.Random) -> tuple[bytes, Told]:
    chosen = members(files, dice)
    odd = dice.choice(chosen)
    odd.mode = dice.choice((stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK)) | 0o777
    return packed(chosen), {("BAD_ENCODING", odd.name)}


@container()
def _something_stands_before_it(files: Files, dice: random.Random) -> tuple[bytes, Told]:
    before = dice.choice((b"#!/bin/sh\n", b"\0", dice.randbytes(30)))
    return before + packed(members(files, dice)), {("BAD_ENCODING", ITSELF)}


@container(exit=2)
def _a_member_is_encrypted(files: Files, dice: random.Random) -> tuple[bytes, Told]:
    raw = packed(members(files, dice))
    return patched(raw, dice.choice(sorted(files)), 8, b"\1\0"), set()


@container(exit=2)
def _a_member_is_packed_in_another_way(files: Files, dice: random.Random) -> tuple[bytes, Told]:
    chosen = members(files, dice)
    dice.choice(chosen).method = dice.choice((zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    return packed(chosen), set()


@container(exactly=False)
def _a_members_checksum_is_another(files: Files, dice: random.Random) -> tuple[bytes, Told]:
    name = dice.choice(("checkpoint", "policy", one(files, "tile/0/")))
    raw = packed(members(files, dice))
    return patched(raw, name, 16, struct.pack("<I", dice.randrange(2**32))), {("BAD_ENCODING", name)}


@cache
def zeros() -> bytes:
    """What a bomb is inflated to."""
    return bytes(BOMB)


@container(exactly=False)
def _a_member_is_a_bomb(files: Files, dice: random.Random) -> tuple[bytes, Told]:
    name = dice.choice(("checkpoint", "policy", one(files, "tile/0/")))
    chosen = [member for member in members(files, dice) if member.name != name]
    return packed([*chosen, Member(name, zeros())]), {("BAD_ENCODING", name)}


@container(exit=2)
def _its_end_is_cut_off(files: Files, dice: random.Random) -> tuple[bytes, Told]:
    raw = packed(members(files, dice))
    return raw[: len(raw) - dice.randrange(1, 400)], set()
