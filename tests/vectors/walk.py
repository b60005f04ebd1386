"""The page beside an annotated bundle: its files byte by byte, then its entries one by one."""

from __future__ import annotations

import gzip
import json

from tests.vectors.hashing import b64u, chain_of, sha, unb64u
from tests.vectors.log import SHARD, Files
from tests.vectors.story import FIRST, HELPER, HOLDER, RECIPIENT, SECOND, SUBJECT, THIRD, Story
from tests.vectors.story_3 import REGULATOR

NAMES = {
    chain_of(name): said
    for name, said in (
        (FIRST, "first consent"),
        (SECOND, "second consent"),
        (THIRD, "third consent"),
        ("operator:ledger", "`operator:ledger`"),
        (f"subject:{HOLDER}:{SUBJECT}", "the customer"),
        *((f"operator:{name}", f"`operator:{name}`") for name in ("supervision", "risk", "reports")),
        *((f"operator:participant:{who}", f"`{who}`") for who in (HOLDER, RECIPIENT, HELPER, REGULATOR)),
        *((f"participant:{who}", f"what `{who}` declares") for who in (HOLDER, RECIPIENT, HELPER, REGULATOR)),
    )
}


def page(name: str, log: Story, files: Files) -> str:
    size = len(log.entries)
    tile, entries = f"tile/0/000.p/{size}", f"tile/entries/000.p/{size}"
    first = log.entries[0]
    lines = gzip.decompress(files[SHARD]).splitlines(keepends=True)
    shown = json.loads(lines[0])
    index = shown["index"]
    leaf, evidence = json.loads(log.entries[index]), json.loads(shown["evidence"])
    word = evidence["statements"][0].split(".")
    note = files["checkpoint"].decode().split("\n")
    blob = note[4].split(" ")[2]
    out = [
        f"# The bundle `{name}`, byte by byte",
        "",
        f"Made by `python -m tests.vectors`; {size} entries, under ruleset {log.ruleset}. A reader with the policy `../policies/policy` finds it VALID.",
        "All keys are throw-away keys that follow from their labels. Names of members and rules: see the pages of [the specification](../../README.md).",
        "",
        "## Files",
        *(
            f"- `{path}`: {len(content):,} bytes, SHA-256 `{sha(content).hex()}`"
            for path, content in sorted(files.items())
        ),
        "",
        "## `manifest.json`",
        f"`{files['manifest.json'].decode()}`",
        "",
        "CL-JSON: members sorted, no white space, no newline at the end.",
        "",
        "## `checkpoint`",
        "| line | bytes | what |",
        "|---|---|---|",
        f"| 1 | `{note[0]}` | the origin |",
        f"| 2 | `{note[1]}` | the size |",
        f"| 3 | `{note[2]}` | base64 of the root: the RFC 6962 hash of all {size} leaf hashes |",
        "| 4 | (empty) | text and signatures are apart |",
        f"| 5 | `— {note[0]} {blob[:6]}…` | the first 4 bytes behind base64 are the key id, `{_id(blob)}`; then 64 bytes of Ed25519 over lines 1–3, each with its newline |",
        "",
        f"## `{entries}`",
        f"`{files[entries][:2].hex()}` is be16({len(first)}): the length of entry 0, whose bytes follow, and so on without anything between. Entry 0:",
        "",
        f"`{first.decode()}`",
        "",
        f"## `{tile}`",
        f"{size} times 32 bytes. The first are H(0x00 ‖ entry 0) = `{files[tile][:32].hex()}`; so is `prev` of entry 1, as b64u: `{json.loads(log.entries[1])['prev']}`.",
        "",
        f"## `{SHARD}`",
        f"One gzip member of {len(lines)} lines in rising order of `index`. (Here it holds stored blocks, so that it is the same bytes whoever makes it.) The first line is",
        f"evidence of entry {index}:",
        "",
        "| part | bytes |",
        "|---|---|",
        f"| `opening` | `{unb64u(shown['opening']).hex()}` |",
        f"| H(evidence) | `{sha(shown['evidence'].encode()).hex()}` |",
        f"| HMAC-SHA256(opening, `consent-ledger/v1/commitment\\0` ‖ H(evidence)) | b64u: `{leaf['commitment']}`, which is the leaf's `commitment` |",
        f"| JWS header | `{unb64u(word[0]).decode()}` |",
        f"| JWS payload | `{unb64u(word[1]).decode()}` |",
        f"| JWS signature | {len(unb64u(word[2]))} bytes over the first two parts as they stand, with the dot |",
        "",
        "## Entries",
        "| index | kind | chain, `seq` | what | outcome | leaf hash |",
        "|---|---|---|---|---|---|",
        *(_row(log, index) for index in range(size)),
    ]
    return "\n".join(out) + "\n"


def _id(blob: str) -> str:
    import base64

    return base64.b64decode(blob)[:4].hex()


def _row(log: Story, index: int) -> str:
    leaf = json.loads(log.entries[index])
    digest = b64u(log.hashes[index])
    if leaf["kind"] == "index-head":
        return f"| {index} | index-head | – | map over {leaf['map_size']} leaves, root `{leaf['map_root']}` | | `{digest}` |"
    chain = f"{NAMES[unb64u(leaf['chain'])]}, {leaf['seq']}"
    if leaf["kind"] == "operator":
        document = leaf["document"]
        return f"| {index} | operator | {chain} | `{document['type']}` {document.get('kid', '')} | | `{digest}` |"
    evidence = json.loads(log.bodies[index][0])
    outcome = evidence.get("outcome", {})
    said = outcome.get("status") or " ".join([outcome.get("decision", ""), *outcome.get("reasons", [])]).strip()
    signer = (
        json.loads(unb64u(evidence["statements"][0].split(".")[1]))["iss"] if evidence["statements"] else "the ledger"
    )
    more = (
        ", with a passkey"
        if "assertion" in evidence
        else f", item {evidence['item']['position']} of a batch"
        if "item" in evidence
        else ""
    )
    return f"| {index} | {leaf['kind']} | {chain} | `{evidence['act']}` by {signer}{more} | {said} | `{digest}` |"
