"""Judges where events may be sent: never to an address inside a network, whatever a name resolves to.

A participant chooses the address that this ledger connects to, so the address is an attack until shown otherwise: the
machine's own services, the neighbours', the cloud's metadata. The name is resolved here, every answer is judged, and the
connection goes to the judged address itself, so that a second resolution cannot answer otherwise.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from ledger.errors import InvalidInput

Address: TypeAlias = IPv4Address | IPv6Address

URL_LIMIT: Final = 2048
_PUBLIC_V6: Final = ip_network("2000::/3")
_SPECIAL: Final = tuple(
    ip_network(text)
    for text in (
        # IANA's special-purpose registries (RFC 6890), multicast and reserved space
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",  # of 2000::/3; Teredo and 6to4 lead to IPv4 addresses
        "168.63.129.16/32",  # public by its number, and a cloud's own service by its use
    )
)


class AddressRefused(Exception):
    """Nothing may be sent there."""


@dataclass(frozen=True, slots=True)
class EndpointAddress:
    """An endpoint's address, read."""

    url: str
    scheme: str
    host: str
    port: int
    path: str
    """With the query."""

    @property
    def authority(self) -> str:
        """The `Host` header: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.scheme == "https" else 80) else f"{host}:{self.port}"


def read_endpoint(url: str, *, development: bool) -> EndpointAddress:
    """Read an endpoint's address: https, a host, no credentials, no fragment. Raises InvalidInput.

    In development, http is allowed where the host turns out to be this machine.
    """
    if not 1 <= len(url) <= URL_LIMIT or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise _unfit(f"it has at most {URL_LIMIT} characters, all of them printable ASCII")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _unfit("it cannot be read") from None
    if parts.scheme != "https" and not (development and parts.scheme == "http"):
        raise _unfit("it begins with https://")
    if not host or "%" in host or "@" in parts.netloc or parts.fragment or "#" in url:
        raise _unfit("it has a host, and neither credentials nor a fragment")
    if port == 0:
        raise _unfit("there is no port 0")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    read = EndpointAddress(url, parts.scheme, host, port or (443 if parts.scheme == "https" else 80), path)
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        return read
    try:
        check_address(literal, scheme=parts.scheme, development=development)
    except AddressRefused as error:
        raise _unfit(str(error)) from None
    return read


def check_address(address: Address, *, scheme: str, development: bool) -> None:
    """Raises AddressRefused unless the address is on the public internet; in development, or this machine's loopback."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if development and address.is_loopback:
        return
    if scheme != "https":
        raise AddressRefused("plain http is for loopback only, in development")
    if isinstance(address, IPv6Address) and (address not in _PUBLIC_V6 or address.scope_id is not None):
        raise AddressRefused("the address is not one of the public internet")
    if any(address in network for network in _SPECIAL if network.version == address.version):
        raise AddressRefused("the address is not one of the public internet")


def _unfit(why: str) -> InvalidInput:
    return InvalidInput(f"this is not an address to send events to: {why}", member="url")
