"""`consent-ledger datamap`: a holder's map of its own fields to permissions, grades and masks (docs/partners.md)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from api.cli.folder import As, ParticipantFolder, seen, speak
from api.cli.saying import DEFECT, files_told_in_a_sentence, mention, say
from ledger.datamaps import DataMap, MappedField, dated, parse_map
from ledger.entries.fields import Code
from ledger.errors import BadEncoding, InvalidInput

if TYPE_CHECKING:
    from api.client import LedgerClient, VerifiedReceipt

datamaps = typer.Typer(
    help="Which fields a holder gives out: by what permission, how grave, how masked.", no_args_is_help=True
)

OpenApi = Annotated[Path, typer.Argument(help="The API's OpenAPI document, as JSON.")]
Before = Annotated[Path | None, typer.Option("--before", help="The map's last version, as «publish» wrote it.")]
SHOWN = 100


class DraftField(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A line of the file that a person edits; `why` is for that person."""

    at: str
    field: str
    grade: int | None = None
    mask: str | None = None
    permission: str | None = None
    why: str = ""


class DraftMap(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The file that a person edits."""

    fields: tuple[DraftField, ...]
    map: Code
    ruleset: int


@datamaps.command("propose")
def datamap_propose(
    openapi: OpenApi,
    out: Annotated[Path, typer.Option("--out", help="Into this new file, for a person to read, change and publish.")],
    *,
    name: Annotated[
        str | None, typer.Option("--map", help="The map's name, a code; default: that of --before, or api.")
    ] = None,
    before: Before = None,
) -> None:
    """Propose a map for the fields of an API; fields of an earlier version stay as they are."""
    from api.partners.described import fields_of, read_openapi  # noqa: PLC0415  (as the ledger's, only for this)
    from api.partners.proposing import draft_of, propose  # noqa: PLC0415
    from ledger.catalogue import OPENS_UNDER  # noqa: PLC0415

    with files_told_in_a_sentence():
        described = fields_of(read_openapi(openapi))
        old = None if before is None else parse_map(before.read_bytes())
        if out.exists():
            raise InvalidInput(f"{out} is there already; it may hold what a person decided")
        known = {} if old is None else {(each.at, each.field): each for each in old.fields}
        lines = [
            draft_of(each, propose(each)) if (kept := known.get((each.at, each.field))) is None else _kept(kept, old)
            for each in described
        ]
        called = name or ("api" if old is None else old.map)
        draft = {"fields": lines, "map": called, "ruleset": OPENS_UNDER}
        out.write_text(json.dumps(draft, ensure_ascii=False, indent=1) + "\n", "utf-8")
    left = sum(line["grade"] is None for line in lines)
    say(
        f"{out}: {len(lines)} fields, {left} of them without a proposal: read every line, then «datamap publish»",
        file=str(out),
        fields=len(lines),
        undecided=left,
    )


@datamaps.command("publish")
def datamap_publish(
    draft: Annotated[Path, typer.Argument(help="The file that «propose» wrote and a person has read and changed.")],
    own: As,
    out: Annotated[
        Path, typer.Option("--out", help="The map goes into this new file: keep it, the log has its hash only.")
    ],
    before: Before = None,
) -> None:
    """As holder: sign a version of the map; from here on its hash is in the log."""
    with files_told_in_a_sentence():
        decided = _read_draft(draft)
        old = None if before is None else parse_map(before.read_bytes())
        if out.exists():
            raise InvalidInput(f"{out} is there already: each version of a map stays what it is")

    async def said(client: LedgerClient, folder: ParticipantFolder) -> tuple[DataMap, VerifiedReceipt, Path]:
        last = next(
            (
                each
                for each in (await client.read("/partners/maps"))["maps"]
                if (each["holder"], each["map"]) == (client.participant, decided.map)
            ),
            None,
        )
        made = _version(decided, client.participant, old, last)
        partial = out.with_name(out.name + ".new")
        partial.write_bytes(made.encoded())  # before it is signed: the log would have a hash of what nobody has
        members = {
            "fields": len(made.fields),
            "map": made.map,
            "map_hash": made.hash(),
            "map_version": made.map_version,
        }
        [receipt] = await client.ask("/partners/maps", await client.statements.sign("map.publish", **members))
        partial.replace(out)
        return made, receipt, folder.keep(receipt)

    made, receipt, file = speak(own, said)
    say(
        f"{out}: version {made.map_version} of {made.map}, {len(made.fields)} fields; entry {receipt.index}; the receipt is "
        f"{file}",
        **seen(receipt, file),
    )


@datamaps.command("drift")
def datamap_drift(
    openapi: OpenApi, known: Annotated[Path, typer.Argument(metavar="MAP", help="The map, as «publish» wrote it.")]
) -> None:
    """Say which fields the API has and nobody graded, and which are gone. Exit status 3 if there is one."""
    from api.partners.described import fields_of, read_openapi  # noqa: PLC0415  (as the ledger's, only for this)
    from api.partners.proposing import propose  # noqa: PLC0415

    with files_told_in_a_sentence():
        described = fields_of(read_openapi(openapi))
        graded = {(each.at, each.field) for each in parse_map(known.read_bytes()).fields}
    gained = [each for each in described if (each.at, each.field) not in graded]
    removed = sorted(graded - {(each.at, each.field) for each in described})
    for each in gained[:SHOWN]:
        mention(f"+ {each.at}  {each.field}  ({propose(each).why})")
    for at, field in removed[:SHOWN]:
        mention(f"- {at}  {field}")
    say(
        f"{len(gained)} fields that nobody graded, {len(removed)} that are gone, of {len(described)}",
        gained=[{"at": each.at, "field": each.field} for each in gained],
        removed=[{"at": at, "field": field} for at, field in removed],
    )
    if gained or removed:
        raise typer.Exit(DEFECT)


@datamaps.command("list")
def datamap_list(own: As) -> None:
    """As any participant: the last version of each holder's maps."""

    async def asked(client: LedgerClient, _: ParticipantFolder) -> Any:
        return await client.read("/partners/maps")

    found = speak(own, asked)
    for each in found["maps"]:
        mention(
            f"{each['index']}  {each['holder']}  {each['map']} {each['version']}  {each['fields']} fields  {each['map_hash']}"
        )
    say(f"{len(found['maps'])} maps.", **found)


def _kept(field: MappedField, old: DataMap | None) -> dict[str, Any]:
    said: dict[str, Any] = {"mask": None, "permission": None} | msgspec.to_builtins(field)
    since = said.pop("since")
    return said | {"why": f"as since version {since} of {'' if old is None else old.map}"}


def _read_draft(path: Path) -> DraftMap:
    """Raises InvalidInput, OSError."""
    try:
        decided = msgspec.json.decode(path.read_bytes(), type=DraftMap)
    except msgspec.DecodeError as error:
        raise InvalidInput(f"{path}: {error}") from None
    undecided = [each for each in decided.fields if each.grade is None]
    if undecided:
        first = undecided[0]
        raise InvalidInput(
            f"{len(undecided)} fields of {path} have no grade yet, the first is {first.field!r} of {first.at}: a person "
            "decides about each of them"
        )
    return decided


def _version(decided: DraftMap, holder: str, old: DataMap | None, last: dict[str, Any] | None) -> DataMap:
    """The next version. Raises InvalidInput, BadEncoding."""
    if last is None:
        if old is not None:
            raise InvalidInput(f"this log has no map {decided.map!r} of {holder}: leave out --before")
    elif old is None or (old.holder, old.map, old.map_version) != (holder, decided.map, last["version"]):
        raise InvalidInput(f"the last version of {decided.map!r} is {last['version']}: name its file with --before")
    elif last["map_hash"] != old.hash():
        raise InvalidInput("the file of --before is not the map whose hash is in the log")
    version = 1 if old is None else old.map_version + 1
    rows = [
        {name: value for name, value in msgspec.to_builtins(each).items() if name != "why" and value is not None}
        for each in sorted(decided.fields, key=lambda each: (each.at, each.field))
    ]
    try:
        fields = msgspec.convert([row | {"since": version} for row in rows], tuple[MappedField, ...])
    except msgspec.ValidationError as error:
        raise BadEncoding(f"the fields are not those of a map: {error}") from None
    made = DataMap(
        fields=dated(fields, old, version),
        holder=holder,
        map=decided.map,
        map_version=version,
        ruleset=decided.ruleset,
        v=1,
    )
    return parse_map(made.encoded())
