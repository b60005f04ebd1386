"""Vectors of the way from one key of a log to the next (log.md, «A reader that knows only an older key»)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.vectors.hashing import Json, b64, b64u, encode, inclusion, root
from tests.vectors.log import ORIGIN, vkey
from tests.vectors.signing import Ed25519
from tests.vectors.story import Story, ruleset_2
from tests.vectors.told_keys import NEW, NEXT, OLD, STRANGER, added, compromised, retired

AT = 13
"""Entries of the log before its keys are spoken of."""


def log(*acts: Callable[[Story], object]) -> Story:
    made = ruleset_2(AT)
    made.until = None
    for act in acts:
        made.tick()
        act(made)
    return made


def exchanged(story: Story) -> None:
    added(story)
    retired(story)


def exchanged_again(story: Story) -> None:
    added(story, NEXT, NEW)
    retired(story, NEW, NEXT)


def named(key: Ed25519) -> str:
    return vkey(ORIGIN, 1, key)


def row(name: str, story: Story, *trusted: Ed25519, first: int = AT, **expected: Any) -> Json:
    """`first`: the index of the first document that is handed out."""
    indexes = list(range(first, len(story.entries)))
    hashes = story.hashes
    return {
        "name": name,
        "trusted": [named(key) for key in trusted],
        "documents": [{"index": n, "leaf": story.entries[n].decode()} for n in indexes],
        "proofs": [
            {"index": i, "size": j, "hashes": [b64u(one) for one in inclusion(i, hashes[:j])]}
            for j in indexes
            for i in indexes
            if i < j
        ],
        **expected,
    }


def led(*steps: tuple[Ed25519, Ed25519, int]) -> Json:
    """Key, the one that vouched for it, the least size of a checkpoint that it may sign."""
    keys = [{"vkey": named(key), "by": named(by), "first": first} for key, by, first in steps]
    return {"accept": True, "keys": keys}


def refused(code: str) -> Json:
    return {"accept": False, "code": code}


def signed_for(text: Callable[[Story, int], bytes]) -> Callable[[Story], None]:
    """The end of the older key, whose signature is over this text."""

    def act(story: Story) -> None:
        signature = OLD.sign(text(story, len(story.entries)))
        story.operator("log.key_retired", v=2, key=b64u(OLD.public), signature=b64u(signature))

    return act


def checkpoint_text(story: Story, size: int, origin: str = ORIGIN) -> bytes:
    return f"{origin}\n{size}\n{b64(root(story.hashes[:size]))}\n".encode()


def changed(made: Json, **members: Any) -> Json:
    """A row with these members instead, of the first document if they are its."""
    if "leaf" in members or "index" in members:
        made["documents"][0] |= members
        return made
    return {**made, **members}


def _rows() -> list[Json]:
    once, twice = log(exchanged), log(exchanged, exchanged_again)
    first, second = (NEW, OLD, AT + 1), (NEXT, NEW, AT + 3)
    late = log(exchanged, exchanged_again, lambda it: compromised(it, AT + 4, NEW))
    forged = once.entries[AT].decode().replace(b64u(NEW.public), b64u(STRANGER.public))
    wrong = once.entries[AT].decode()
    short = row("", once, OLD)["proofs"]
    short[0]["hashes"] = short[0]["hashes"][:-1]
    other = row("", once, OLD)["proofs"]
    other[0]["hashes"][0] = b64u(bytes(32))
    of = row
    return [
        of("a key that was exchanged", once, OLD, **led(first)),
        of("a key that was exchanged twice", twice, OLD, **led(first, second)),
        of("from the second key", twice, NEW, **led(second)),
        of("from the newest key", twice, NEXT, **led()),
        of("both keys are known", once, OLD, NEW, **led()),
        of("an overlap that goes on", log(added), OLD, **led()),
        of("a log that never changed its key", log(), OLD, **led()),
        of("the exchange was taken back", log(added, lambda it: retired(it, NEW, OLD)), OLD, **led()),
        of("documents about keys that the reader does not know", once, STRANGER, **led()),
        of("the first exchange is withheld", twice, OLD, first=AT + 2, **led()),
        of("a key that is its own successor", log(lambda it: added(it, OLD), retired), OLD, **led()),
        of("a key found on the way was stolen after its last word", late, OLD, **led(second)),
        of(
            "the older key was stolen before its last word",
            log(exchanged, lambda it: compromised(it, AT)),
            OLD,
            **refused("KEY_COMPROMISED"),
        ),
        of(
            "the older key was stolen at the size of its last word",
            log(exchanged, lambda it: compromised(it, AT + 1)),
            OLD,
            **refused("KEY_COMPROMISED"),
        ),
        of(
            "the older key was stolen above its last word",
            log(exchanged, lambda it: compromised(it, AT + 2)),
            OLD,
            **led(first),
        ),
        of(
            "the older key was stolen and gave no word",
            log(added, lambda it: compromised(it, AT)),
            OLD,
            **refused("KEY_COMPROMISED"),
        ),
        of(
            "the only key on the way was stolen",
            log(exchanged, lambda it: added(it, NEXT, NEW), lambda it: compromised(it, AT + 1, NEW)),
            OLD,
            **refused("KEY_COMPROMISED"),
        ),
        of(
            "the newer key signs for itself",
            log(added, lambda it: retired(it, by=NEW)),
            OLD,
            **refused("BAD_SIGNATURE"),
        ),
        of("a stranger signs", log(added, lambda it: retired(it, by=STRANGER)), OLD, **refused("BAD_SIGNATURE")),
        of(
            "the second word is the first key's",
            log(exchanged, lambda it: added(it, NEXT, NEW), lambda it: retired(it, NEW, NEXT, by=OLD)),
            OLD,
            **refused("BAD_SIGNATURE"),
        ),
        of(
            "a word over the tree one entry earlier",
            log(added, signed_for(lambda it, size: checkpoint_text(it, size - 1))),
            OLD,
            **refused("BAD_SIGNATURE"),
        ),
        of(
            "a word over the tree of another log",
            log(added, signed_for(lambda it, size: checkpoint_text(it, size, "ledger.example/other"))),
            OLD,
            **refused("BAD_SIGNATURE"),
        ),
        changed(of("another key in the document", once, OLD, **refused("BAD_SIGNATURE")), leaf=forged),
        changed(of("a proof of another entry", once, OLD, **refused("BAD_SIGNATURE")), proofs=other),
        changed(of("a proof that is too short", once, OLD, **refused("BAD_PROOF")), proofs=short),
        changed(of("another index than the leaf's", once, OLD, **refused("BAD_PROOF")), index=AT - 1),
        changed(of("a leaf in another spelling", once, OLD, **refused("BAD_ENCODING")), leaf=wrong + " "),
        changed(
            of("a member too many", once, OLD, **refused("BAD_ENCODING")),
            leaf=wrong.replace('"previous":', '"note":"","previous":'),
        ),
        changed(
            of("a document of version 1", once, OLD, **refused("BAD_ENCODING")),
            leaf=wrong.replace('"type":"log.key_added","v":2', '"type":"log.key_added","v":1'),
        ),
        changed(
            of("a key of small order", once, OLD, **refused("BAD_SIGNATURE")),
            leaf=wrong.replace(b64u(NEW.public), b64u(bytes(32))),
        ),
        changed(
            of("a document about something else", once, OLD, **refused("BAD_ENCODING")),
            index=1,
            leaf=once.entries[1].decode(),
        ),
        changed(
            of("an index-head", once, OLD, **refused("BAD_ENCODING")),
            index=AT,
            leaf=encode(_head(once)).decode(),
        ),
    ]


def _head(story: Story) -> Json:
    members = {"kind": "index-head", "map_root": b64u(bytes(32)), "map_size": AT}
    return {**members, "index": AT, "prev": b64u(story.hashes[AT - 1]), "time": story.time, "v": 1}


def succession() -> Json:
    return {
        "about": "documents about a log's keys, handed out with proofs: which keys they lead to from those that are trusted",
        "origin": ORIGIN,
        "cases": _rows(),
    }


FILES = {"log-keys": succession}
