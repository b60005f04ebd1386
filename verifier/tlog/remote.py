"""A log's files over http(s): bounded, with time limits, and only from the place the auditor named."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.parse
import urllib.request
import zlib
from typing import IO

from verifier.errors import CannotCheck, NotFound
from verifier.tlog.bounded import bounded

TIMEOUT_SECONDS = 20.0
GZIP_OVERHEAD = 1_024  # incompressible data grow a little


class _SameHost(urllib.request.HTTPRedirectHandler):
    """A redirect to another host or scheme would let the log send us to a place the auditor did not name."""

    def redirect_request(  # type: ignore[explicit-override]  # typing.override is 3.12
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        old, new = urllib.parse.urlsplit(req.full_url), urllib.parse.urlsplit(newurl)
        if (old.scheme, old.netloc) != (new.scheme, new.netloc):
            raise CannotCheck(f"{old.netloc} redirects to another place ({new.scheme}://{new.netloc})")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class Remote:
    """A log's files below an http(s) URL. `timeout` in seconds per network operation."""

    def __init__(self, url: str, timeout: float = TIMEOUT_SECONDS) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
            raise CannotCheck(f"not the URL of a log: {url!r}")
        self.name = url.rstrip("/")
        self._timeout = timeout
        self._opener = urllib.request.build_opener(_SameHost)

    def read(self, path: str, limit: int) -> bytes:
        """See Source."""
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked above
            f"{self.name}/{path}",
            headers={"Accept-Encoding": "gzip, identity", "User-Agent": "consent-verify"},
        )
        try:
            with self._opener.open(request, timeout=self._timeout) as answer:
                zipped = answer.headers.get("Content-Encoding", "identity").lower() == "gzip"
                most = limit + GZIP_OVERHEAD if zipped else limit
                data = bounded(answer.read(most + 1), most, path)
                return _gunzip(data, limit, path) if zipped else data
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in (403, 404, 410):  # 403: an object store, to those who may not list its files
                raise NotFound(f"{self.name} has no {path} ({error.code})") from None
            raise CannotCheck(f"{self.name} answered {error.code} for {path}") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise CannotCheck(f"{self.name} could not be read: {error}") from None


def _gunzip(data: bytes, limit: int, path: str) -> bytes:
    stream = zlib.decompressobj(wbits=31)
    try:
        plain = bounded(stream.decompress(data, limit + 1), limit, path)
    except zlib.error:
        raise CannotCheck(f"{path} is not the gzip stream it claims to be") from None
    if not stream.eof or stream.unused_data:
        raise CannotCheck(f"{path} is cut short or has bytes behind its gzip stream")
    return plain
