"""The state of a finished audit, so that the next one reads only what was added (`--keep`, `--since`).

An SQLite file of the auditor's own: texts, numbers and fixed-width records, nothing that could execute. Only audits
without a defect are kept. The next bundle must continue the kept checkpoint, shown by its own tiles.
"""

from __future__ import annotations

import json
import sqlite3
from array import array
from contextlib import closing
from pathlib import Path

from verifier.audit.bundle import Auditor
from verifier.errors import CannotCheck, Code, Refuted, refuted
from verifier.rules.access_legs import Report
from verifier.rules.deferred import BUCKETS
from verifier.rules.sets import ShardHead
from verifier.rules.supervision import Raised
from verifier.tlog.tiles import TileReader

FORMAT = 8
EARLIER = "entries that an earlier run checked, whose files were not read again (--since)"


def save(auditor: Auditor, path: Path) -> None:
    """Write the state of an audit that found no defect. Raises CannotCheck."""
    head = auditor.head
    if head is None or auditor.findings.count or auditor.findings.open:
        raise CannotCheck("only an audit without defects is kept")
    replay, links = auditor.replay, auditor.links
    ordered = replay.registry.supervision
    meta = {
        "format": FORMAT,
        "origin": auditor.origin,
        "size": auditor.size,
        "root": head.head.root.hex(),
        "time": links.time,
        "previous": [name.decode() for name in links.previous],
        "history": replay.registry.history,
        "level": auditor.level,
        "evidence": auditor.options.evidence,
        "missing": replay.matching.missing,
        "last_missing": replay.matching.legs.last_missing,
        "last_lost": replay.matching.legs.last_lost,
        "parties": replay.matching.legs.parties,
        "gaps": replay.subjects.gaps,
        "reports": replay.matching.legs.reports,
        "signatures": auditor.options.signatures,
        "raised": list(ordered.raised),
        "alerts_owed": replay.alerts.kept(),
        "alerts": [[*name, rows] for name, rows in ordered.alerts.items()],
        "blind": ordered.blind,
        "declared": replay.declarations.kept(),
        "heads": [[head.origin, head.size, head.root.hex()] for head in replay.registry.shards.heads.values()],
        "unread": [sorted(ordered.unread_holders), sorted(ordered.unread_recipients)],
    }
    fresh = path.with_name(path.name + ".new")
    try:
        fresh.unlink(missing_ok=True)
        with closing(sqlite3.connect(fresh)) as file, file:
            file.execute("CREATE TABLE meta (text TEXT)")
            file.execute("INSERT INTO meta VALUES (?)", (json.dumps(meta),))
            for table, texts in (("chain", auditor.shelf.texts()), ("passkey", replay.gestures.passkeys.texts())):
                file.execute(f"CREATE TABLE {table} (name BLOB PRIMARY KEY, record TEXT) WITHOUT ROWID")
                file.executemany(f"INSERT INTO {table} VALUES (?, ?)", texts)  # noqa: S608 - names of ours
            file.execute("CREATE TABLE spool (name TEXT, bucket INTEGER, raw BLOB)")
            for name, spool in {**replay.matching.spools, "usage": replay.usage.gaps}.items():
                file.executemany(
                    "INSERT INTO spool VALUES (?, ?, ?)",
                    ((name, bucket, spool.read(bucket)) for bucket in range(BUCKETS)),
                )
        fresh.replace(path)
    except (OSError, sqlite3.Error) as error:
        raise CannotCheck(f"the state cannot be written to {path}: {error}") from None


def load(auditor: Auditor, path: Path) -> None:
    """Take up the state at `path`. Raises CannotCheck if it cannot be used for this bundle; a bundle that does not
    continue it is a defect: ROLLBACK or EQUIVOCATION."""
    if not path.is_file():
        raise CannotCheck(f"there is no state file at {path}")
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as file:
            meta = json.loads(file.execute("SELECT text FROM meta").fetchone()[0])
            _check_usable(auditor, meta, path)
            if not _continues(auditor, meta):
                return
            for table, store in (("chain", auditor.shelf), ("passkey", auditor.replay.gestures.passkeys)):
                for name, record in file.execute(f"SELECT name, record FROM {table}"):  # noqa: S608 - names of ours
                    store.take(bytes(name), record)
            spools = {**auditor.replay.matching.spools, "usage": auditor.replay.usage.gaps}
            for name, bucket, raw in file.execute("SELECT name, bucket, raw FROM spool"):
                spools[name].load(bucket, raw)
            _take_up(auditor, meta)
    except (OSError, sqlite3.Error, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise CannotCheck(f"the state file {path} cannot be used: {error}") from None


def _check_usable(auditor: Auditor, meta: dict[str, object], path: Path) -> None:
    wanted = {
        "format": FORMAT,
        "origin": auditor.origin,
        "level": auditor.level,
        "evidence": auditor.options.evidence,
        "signatures": auditor.options.signatures,
    }
    for name, value in wanted.items():
        if meta[name] != value:
            raise CannotCheck(f"the state file {path} is of another {name}: {meta[name]}, here {value}")


def _continues(auditor: Auditor, meta: dict[str, object]) -> bool:
    """The bundle's tree begins with the kept one; its right edge at that size becomes the growing tree."""
    size, root = int(str(meta["size"])), bytes.fromhex(str(meta["root"]))
    head = auditor.head
    if head is None:
        return False
    try:
        if head.head.size < size:
            raise refuted(
                Code.ROLLBACK,
                "the bundle is smaller than the log was when you checked it last",
                file="checkpoint",
                expected=f"at least {size} entries",
                found=head.head.size,
            )
        reader = TileReader(auditor.archive, head.head.size, head.head.root)
        found = reader.range_root(0, size)
        if found != root:
            raise refuted(
                Code.EQUIVOCATION,
                "the log's history is another than the one you checked last",
                file="checkpoint",
                expected=root,
                found=found,
            )
        edge = {}
        for level in range(8):
            n, width = divmod(size >> 8 * level, 256)
            if width:
                edge[level] = reader.tile(level, n)[:width]
        auditor.growth = type(auditor.growth).resume(size, edge)
    except Refuted as refusal:
        auditor.findings.refuse(refusal)
        return False
    return True


def _take_up(auditor: Auditor, meta: dict[str, object]) -> None:
    replay, links = auditor.replay, auditor.links
    history, missing, parties = meta["history"], meta["missing"], meta["parties"]
    previous, reports = meta["previous"], meta["reports"]
    if not (
        isinstance(history, list)
        and isinstance(missing, dict)
        and isinstance(previous, list)
        and isinstance(reports, list)
        and isinstance(parties, list)
    ):
        raise CannotCheck("the state file is damaged")
    for index, time, party, content in history:
        if party:
            replay.registry.declare(str(content["act"]), party, content, index, time)
        else:
            replay.registry.fold(content, index, time)
    for origin, count, root in meta.get("heads", []):  # type: ignore[attr-defined]
        replay.registry.shards.heads[origin] = ShardHead(origin, count, bytes.fromhex(root))
    ordered = replay.registry.supervision
    ordered.raised = array("q", meta["raised"])  # type: ignore[call-overload]
    ordered.alerts = {
        (rule, kind, about): [Raised(*row) for row in rows]
        for rule, kind, about, rows in meta["alerts"]  # type: ignore[attr-defined]
    }
    ordered.blind = bool(meta["blind"])
    ordered.unread_holders, ordered.unread_recipients = (set(names) for names in meta["unread"])  # type: ignore[attr-defined]
    replay.subjects.gaps = int(str(meta["gaps"]))  # no authorisation waits for its companion: that would be a defect
    replay.matching.missing.update(missing)
    replay.matching.legs.reports = [Report(*members) for members in reports]
    replay.matching.legs.last_missing = int(str(meta["last_missing"]))
    replay.matching.legs.last_lost = int(str(meta["last_lost"]))
    replay.matching.legs.parties = [str(name) for name in parties]
    replay.time = links.time = int(str(meta["time"]))
    replay.alerts.take_up(meta["alerts_owed"], int(str(meta["size"])), replay.time)  # type: ignore[arg-type]
    links.previous = tuple(str(name).encode() for name in previous)
    links.restore_map(auditor.shelf.records())
    replay.declarations.take_up(meta["declared"])  # type: ignore[arg-type]
    auditor.start = replay.usage.start = int(str(meta["size"]))
    auditor.findings.unchecked[EARLIER] += auditor.start
