"""The console of holders and recipients: data maps that were published, and the fields of one's own (docs/partners.md)."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from api.web.console.doors import Partner
from api.web.plain import plain

router = APIRouter(include_in_schema=False, prefix="/console/partner/map")


@router.get("")
def data_map(partner: Partner) -> Response:
    """A holder sees its own maps, a recipient those of all holders. The log has hashes: the file is read in the browser.
    Below them, what a holder has attested of the time before."""
    registry = partner.desk.office.ledger.registry
    maps = [
        versions
        for (author, _), versions in registry.partners.maps.items()
        if partner.side == "recipient" or author == partner.id
    ]
    words = partner.desk.words
    known = {
        each.says.map_hash: {"map": each.says.map, "version": each.says.map_version, "days": days}
        for versions in maps
        for days in ([words.day(one.time) for one in versions],)
        for each in versions
    }
    return partner.desk.render(
        "console/map.html",
        partner=partner,
        maps=maps,
        known=known,
        histories=registry.histories.of(partner.id),
        name_of=lambda author: plain(registry.participant(author).name),
    )
