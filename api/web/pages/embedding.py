"""The bank's face, and what its own site and app show of these pages: a component, and the overview as JSON.

Component and overview are for the sites that the operator lists (`frame_ancestors`) and for nobody else: each answer names the
one that asked. Only our own pages change anything.
"""

from __future__ import annotations

from typing import Final

import msgspec
from fastapi import APIRouter
from fastapi.responses import Response

from api.web.desk import Anyone, Desk
from api.web.pages.overview import overview_of
from api.web.pages.public import asset
from api.web.together import secret_of
from ledger.errors import NotFound

router = APIRouter(include_in_schema=False)
FOR_EVER: Final = "public, max-age=31536000, immutable"


@router.get("/brand.css")
def brand_style(desk: Anyone) -> Response:
    """The bank's colours. Raises NotFound."""
    if not desk.office.brand.style:
        raise NotFound("there are no colours of the bank's own")
    return Response(desk.office.brand.style, media_type="text/css; charset=utf-8", headers={"cache-control": FOR_EVER})


@router.get("/brand/logo")
def brand_logo(desk: Anyone) -> Response:
    """The bank's logo. Raises NotFound."""
    logo = desk.office.brand.logo
    if logo is None:
        raise NotFound("there is no logo")
    return Response(logo.content, media_type=logo.media_type, headers={"cache-control": FOR_EVER})


@router.get("/embed.js")
def component(desk: Anyone) -> Response:
    """The component `<data-sharing-overview>`, for a page of a listed site."""
    content, media_type = asset("embed.js")
    return Response(content, media_type=media_type, headers={"cache-control": "no-cache", **_allowed(desk)})


@router.get("/my/overview.json")
def overview(desk: Anyone) -> Response:
    """The overview of who is signed in; 401 with the address to sign in at for anybody else.

    A browser in which banks are linked shows it to no other site: it could be another bank's than the one that asks.
    """
    headers = {"cache-control": "no-store", **_allowed(desk)}
    elsewhere = "origin" in desk.request.headers and bool(secret_of(desk))  # whose bank's site asks is not known here
    if desk.session is None or desk.session.person is None or elsewhere:
        body = {"sign_in": f"{desk.office.base_url}/sign-in"}
        return Response(msgspec.json.encode(body), 401, media_type="application/json", headers=headers)
    return desk.keep(Response(msgspec.json.encode(overview_of(desk)), media_type="application/json", headers=headers))


def _allowed(desk: Desk) -> dict[str, str]:
    """The headers that let a listed site read an answer; none for any other."""
    origin = desk.request.headers.get("origin", "")
    if origin not in desk.office.settings.frame_ancestors:
        return {"vary": "origin"}
    return {
        "access-control-allow-origin": origin,
        "access-control-allow-credentials": "true",
        "cross-origin-resource-policy": "same-site",
        "vary": "origin",
    }
