"""«These are all events about me»: the proof that nothing was left out, for one connection or for the list of all of them.

The list of all is a customer's subject chain. People who hold an account together may share that list, and one of them may
keep a connection to herself: the number of the list's entries would tell the others. So whoever has a joint account is shown a
proof of each of her connections and none of the list, whether anything is kept from her or not.
"""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from fastapi.responses import Response

from api.web.customer import PAGE, Connection
from api.web.desk import Customer, Desk
from ledger.errors import NotFound, NotPermitted, Unavailable
from ledger.queries.completeness import MEDIA_TYPE, Completeness, completeness_bytes

router = APIRouter(include_in_schema=False, prefix="/my")


@dataclass(frozen=True, slots=True)
class Provable:
    """A chain of hers: what its name is hashed from, where its proof is, and how many entries the page knows of."""

    name: str
    path: str
    known: int
    connection: Connection | None = None
    """None: the list of all her connections, or her bank's earlier records."""
    is_earlier: bool = False


@router.get("/complete")
def complete(desk: Customer) -> Response:
    """Every connection, and the list of them, each with its proof."""
    listed, _ = desk.dealings.connections()
    chains = [_of_connection(desk, one) for one in listed[:PAGE]]
    if _is_alone(desk, listed):
        person = desk.person
        known = desk.office.ledger.records.chain_length(person.chain)
        chains.insert(0, Provable(f"subject:{person.holder}:{person.subject}", "/my/complete/file", known))
    if earlier := desk.office.ledger.records.chain_length(desk.person.history_chain):
        name = f"history:{desk.person.holder}:{desk.person.subject}"
        chains.append(Provable(name, "/my/earlier/complete", earlier, is_earlier=True))
    return _page(desk, chains, None)


@router.get("/complete/file")
def complete_file(desk: Customer) -> Response:
    """The proof of the list. Raises NotFound for somebody who has a joint account, or whose bank does not say."""
    listed, _ = desk.dealings.connections()
    if not _is_alone(desk, listed):
        raise NotFound("there is no such proof for you")
    return _file(desk, desk.office.ledger.completeness.of_chain(desk.person.chain), "all-my-connections")


@router.get("/connections/{key}/complete")
def complete_connection(desk: Customer, key: int) -> Response:
    """One connection and its proof."""
    found = desk.dealings.connection(key)
    return _page(desk, [_of_connection(desk, found)], found)


@router.get("/connections/{key}/complete/file")
def complete_connection_file(desk: Customer, key: int) -> Response:
    """The proof of one connection."""
    found = desk.dealings.connection(key)
    return _file(desk, desk.office.ledger.completeness.of_chain(found.chain), f"connection-{key}")


def _page(desk: Desk, chains: list[Provable], one: Connection | None) -> Response:
    return desk.render(
        "complete.html", chains=chains, one=one, vkey=" ".join(vkey.format() for vkey in desk.office.ledger.vkeys)
    )


def _of_connection(desk: Desk, one: Connection) -> Provable:
    path = f"/my/connections/{one.key}/complete/file"
    return Provable(one.consent.consent_id, path, desk.dealings.length(one), one)


def _is_alone(desk: Desk, listed: list[Connection]) -> bool:
    """Whether nobody else can have anything in her list: her bank knows of no joint account, and nothing is kept by anybody."""
    consent_id = listed[0].consent.consent_id if listed else ""
    try:
        accounts = desk.agent.accounts(desk.person, consent_id) if listed else ()
    except (Unavailable, NotFound, NotPermitted):
        return False
    return bool(accounts) and not any(one.joint for one in accounts) and not desk.dealings.is_shared


def _file(desk: Desk, proof: Completeness, name: str) -> Response:
    disposition = f'attachment; filename="{name}.completeness.json"'
    headers = {"content-disposition": disposition}
    return desk.keep(Response(completeness_bytes(proof), media_type=MEDIA_TYPE, headers=headers))
