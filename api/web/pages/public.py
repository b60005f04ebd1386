"""Pages for everybody: the front door, the language, checking a receipt, our own styles and scripts."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from api.web.cookies import read_large, speak
from api.web.desk import Anyone
from api.web.security import HOME, local_path
from api.web.staff import CONSOLE
from api.web.words import LANGUAGES
from ledger.errors import NotFound

router = APIRouter(include_in_schema=False)
STATIC: Final = Path(__file__).parent.parent / "static"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@router.get("/")
def front_door(desk: Anyone) -> Response:
    """What this is, for somebody who is not signed in."""
    if desk.session is not None and desk.session.someone is not None:
        return desk.redirect(CONSOLE if desk.session.staff else HOME)
    return desk.render("front.html", configured=desk.office.relying_party is not None)


@router.get("/language")
def language(desk: Anyone, to: str, next: str | None = None) -> Response:  # noqa: A002 (the parameter's public name)
    """Remember a language in this browser."""
    return speak(desk.redirect(local_path(next) if next and next != "/" else "/"), to, secure=desk.office.is_secure)


@router.get("/reading")
def reading(desk: Anyone, large: bool = False, next: str | None = None) -> Response:  # noqa: A002
    """Use large letters and few facts on every page in this browser, or go back to the usual."""
    answer = desk.redirect(local_path(next) if next and next != "/" else "/")
    return read_large(answer, large=large, secure=desk.office.is_secure)


@router.get("/manifest.webmanifest")
def manifest(desk: Anyone) -> Response:
    """What a telephone needs to list these pages among its apps. It keeps nothing of them: there is no service worker."""
    words = desk.words
    says = {
        "name": words.t("app"),
        "short_name": words.t("app"),
        "description": words.t("app.tagline"),
        "lang": words.language,
        "start_url": HOME,
        "scope": "/",
        "display": "standalone",
        "background_color": "#f5f3ee",
        "theme_color": "#0c6353",
        "icons": [{"src": asset_url("icon.svg"), "type": "image/svg+xml", "sizes": "any"}],
    }
    return JSONResponse(says, media_type="application/manifest+json")


@router.get("/verify")
def verify(desk: Anyone, entry: int | None = None) -> Response:
    """Check a receipt on one's own device. `entry` names a receipt of hers to begin with."""
    return desk.render(
        "verify.html",
        vkey=" ".join(vkey.format() for vkey in desk.office.ledger.vkeys),
        entry=entry,
        languages=LANGUAGES,
    )


@router.get("/logo/{participant}")
def logo(desk: Anyone, participant: str, v: str = "") -> Response:
    """A participant's logo out of the operator's directory. Raises NotFound."""
    found = desk.office.directory.of(participant).logo
    if found is None:
        raise NotFound("there is no such logo")
    kept = "public, max-age=31536000, immutable" if v == found.digest else "no-cache"
    return Response(found.content, media_type=found.media_type, headers={"cache-control": kept})


@router.get("/static/{name}")
def static(name: str, v: str = "") -> Response:
    """A style sheet, script or picture of ours: kept for a year under an address with its digest, else asked for again."""
    content, media_type = asset(name)
    kept = "public, max-age=31536000, immutable" if v == _digest(content) else "no-cache"
    return Response(content, media_type=media_type, headers={"cache-control": kept})


@lru_cache
def asset(name: str) -> tuple[bytes, str]:
    """A file in the static folder, by a name that is in it. Raises NotFound."""
    files = {path.name: path for path in STATIC.iterdir() if path.suffix in _TYPES}
    if name not in files:
        raise NotFound("there is no such file")
    return files[name].read_bytes(), _TYPES[files[name].suffix]


def asset_url(name: str) -> str:
    """The address of a static file, with a digest of what it holds."""
    return f"/static/{name}?v={_digest(asset(name)[0])}"


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()[:12]
