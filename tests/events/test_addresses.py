"""Where events may be sent, whatever a name resolves to and whatever the receiver answers."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
from collections.abc import Sequence
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from api.events.addresses import AddressRefused, check_address, read_endpoint
from api.events.delivery import NotDelivered, Push, Resolve
from ledger.errors import InvalidInput
from tests.events.kit import Receiver, receiving

HOSTILE_URLS = [
    "",
    "tpp.example",
    "//tpp.example/",
    "http://tpp.example/",
    "ftp://tpp.example/",
    "file:///etc/passwd",
    "gopher://tpp.example/",
    "https://",
    "https:///events",
    "https://:443/",
    "https://user:secret@tpp.example/",
    "https://tpp.example@127.0.0.1/",
    "https://tpp.example/#part",
    "https://tpp.example/#",
    "https://tpp.example:0/",
    "https://tpp.example:99999/",
    "https://tpp.example:x/",
    "https://127.0.0.1/",
    "https://127.1.2.3:8443/",
    "https://0.0.0.0/",
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://172.31.255.255/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://169.254.169.254/",
    "https://168.63.129.16/",
    "https://192.0.0.192/",
    "https://198.18.0.1/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://[::1]/",
    "https://[::]/",
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fc00::1]/",
    "https://[fd00:ec2::254]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:a9fe:a9fe]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/",
    "https://[2001:db8::1]/",
    "https://[ff02::1]/",
    "https://tpp.example\\@127.0.0.1/",
    "https://tpp.example/\r\nHost: x",
    "https://tpp.example/ x",
    "https://tpp.éxample/",
    "https://tpp.example/" + "a" * 2048,
]
RESOLVED_INWARDS = [
    "127.0.0.1",
    "10.1.2.3",
    "169.254.169.254",
    "192.168.0.10",
    "100.100.100.200",
    "0.0.0.1",
    "::1",
    "::",
    "fe80::1%2",
    "fd00::1",
    "::ffff:10.0.0.1",
    "64:ff9b::a00:1",
    "2002:a00:1::",
    "224.0.0.5",
    "168.63.129.16",
]


@pytest.mark.parametrize("url", HOSTILE_URLS)
def test_an_address_that_leads_elsewhere_than_the_public_internet_is_refused_when_it_is_set(url: str) -> None:
    with pytest.raises(InvalidInput):
        read_endpoint(url, development=False)


@pytest.mark.parametrize(
    "url",
    [
        "https://tpp.example/events",
        "https://tpp.example:8443/a?b=c",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]/",
    ],
)
def test_a_public_https_address_is_accepted(url: str) -> None:
    assert read_endpoint(url, development=False).url == url


def test_plain_http_is_for_this_machine_in_development_only() -> None:
    assert read_endpoint("http://127.0.0.1:9000/", development=True).authority == "127.0.0.1:9000"
    for url in ("http://127.0.0.1:9000/", "http://localhost/"):
        with pytest.raises(InvalidInput):
            read_endpoint(url, development=False)
    with pytest.raises(AddressRefused):
        check_address(ipaddress.ip_address("8.8.8.8"), scheme="http", development=True)
    with pytest.raises(AddressRefused):
        check_address(ipaddress.ip_address("10.0.0.1"), scheme="https", development=True)


def resolving_to(*addresses: str) -> Resolve:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    return resolve


def push(url: str, resolver: Resolve, *, development: bool = False, trust: ssl.SSLContext | None = None) -> None:
    async def go() -> None:
        sending = Push(development=development, resolver=resolver, trust=trust)
        try:
            await sending(url, "a.b.c")
        finally:
            await sending.aclose()

    asyncio.run(go())


@pytest.mark.parametrize("address", RESOLVED_INWARDS)
@pytest.mark.parametrize("beside", [(), ("8.8.8.8",)])
def test_a_name_that_resolves_inwards_is_refused_before_anything_is_connected(
    address: str, beside: tuple[str, ...]
) -> None:
    with pytest.raises(NotDelivered) as failure:
        push("https://tpp.example/", resolving_to(*beside, address))
    assert failure.value.code == "address-refused"


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "127.1", "0177.0.0.1", "localhost"])
def test_other_spellings_of_loopback_are_judged_by_what_they_resolve_to(host: str) -> None:
    with pytest.raises(NotDelivered) as failure:
        asyncio.run(_push_with_the_systems_resolver(f"https://{host}/"))
    assert failure.value.code in {"address-refused", "name-unknown"}


async def _push_with_the_systems_resolver(url: str) -> None:
    sending = Push()
    try:
        await sending(url, "a.b.c")
    finally:
        await sending.aclose()


def test_the_connection_goes_to_the_resolved_address_and_carries_the_name(receiver: Receiver) -> None:
    push(f"http://tpp.example:{receiver.port}/in?x=1", resolving_to("127.0.0.1"), development=True)
    heard = receiver.next()
    assert (heard.path, heard.headers["host"], heard.body) == ("/in?x=1", f"tpp.example:{receiver.port}", "a.b.c")
    assert "cookie" not in heard.headers


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_is_followed(receiver: Receiver, status: int) -> None:
    with receiving() as inside:
        receiver.answers(status, location=inside.url)
        with pytest.raises(NotDelivered) as failure:
            push(receiver.url, resolving_to("127.0.0.1"), development=True)
        assert failure.value.code == f"http-{status}"
        assert inside.all() == []


def test_only_202_acknowledges_and_a_long_answer_is_not_read(receiver: Receiver) -> None:
    for status, code in ((200, "http-200"), (204, "http-204"), (404, "http-404"), (500, "http-500")):
        receiver.answers(status)
        with pytest.raises(NotDelivered) as failure:
            push(receiver.url, resolving_to("127.0.0.1"), development=True)
        assert failure.value.code == code
    receiver.answers(400, b'{"err":"invalid_key","description":"' + b"x" * 100_000 + b'"}')
    with pytest.raises(NotDelivered) as failure:
        push(receiver.url, resolving_to("127.0.0.1"), development=True)
    assert failure.value.code == "http-400"


def test_the_certificate_must_be_for_the_name_and_of_a_trusted_authority(tmp_path: Path) -> None:
    server, client = certificate(tmp_path, "tpp.example")
    with receiving(server) as secure:
        to_it = resolving_to("127.0.0.1")
        push(f"https://tpp.example:{secure.port}/", to_it, development=True, trust=client)
        assert secure.next().body == "a.b.c"
        for host, trust in (("other.example", client), ("tpp.example", None)):
            with pytest.raises(NotDelivered) as failure:
                push(f"https://{host}:{secure.port}/", to_it, development=True, trust=trust)
            assert failure.value.code == "tls"
        assert secure.all() == []


def certificate(folder: Path, host: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate of its own for `host`, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    client = ssl.create_default_context(cadata=made.public_bytes(serialization.Encoding.PEM).decode())
    return server, client
