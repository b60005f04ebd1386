"""What a browser remembers for its reader: a language, how to read, and the link of her banks. None of it signs anybody in."""

from __future__ import annotations

from typing import Final

from fastapi.responses import Response

from api.web.words import choose_language

LANGUAGE_COOKIE: Final = "language"
READING_COOKIE: Final = "reading"
LARGE: Final = "large"
YEAR: Final = 365 * 86_400


def read_large(answer: Response, *, large: bool, secure: bool) -> Response:
    """Have this browser remember that its reader likes large letters and few facts."""
    if large:
        answer.set_cookie(READING_COOKIE, LARGE, max_age=YEAR, path="/", secure=secure, httponly=True, samesite="lax")
    else:
        answer.delete_cookie(READING_COOKIE, path="/", secure=secure, httponly=True, samesite="lax")
    return answer


def speak(answer: Response, language: str, *, secure: bool) -> Response:
    """Have this browser remember a language."""
    chosen = choose_language([language])
    answer.set_cookie(LANGUAGE_COOKIE, chosen, max_age=YEAR, path="/", secure=secure, httponly=True, samesite="lax")
    return answer


def together_cookie(*, secure: bool) -> str:
    """The name of the cookie that holds the secret of a link of banks (docs/one-stop.md)."""
    return "__Host-together" if secure else "together"


def keep_together(answer: Response, secret: str, *, secure: bool) -> Response:
    """Have this browser keep the secret of a link; empty: forget it."""
    name = together_cookie(secure=secure)
    if secret:
        answer.set_cookie(name, secret, max_age=YEAR, path="/", secure=secure, httponly=True, samesite="lax")
    else:
        answer.delete_cookie(name, path="/", secure=secure, httponly=True, samesite="lax")
    return answer
