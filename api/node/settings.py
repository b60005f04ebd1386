"""What an operator can set: environment variables `CONSENT_LEDGER_…`, read once by the command line (docs/operating.md)."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    TypeAdapter,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from api.client.key_places import add_key_services
from api.node.notice_settings import NoticeSettings
from api.node.web_settings import WebSettings
from api.tokens.scopes import ROLE_SCOPES
from ledger.assembly import NodeConfig
from ledger.engines.engine import is_file, key_store_beside

add_key_services()

INSTALLED_STATE = Path("/var/lib/consent-ledger")


def default_state_dir() -> Path:
    """`/var/lib/consent-ledger` where it exists and may be written, else `./var`."""
    return INSTALLED_STATE if os.access(INSTALLED_STATE, os.W_OK) else Path("var")


def _base_url(value: str) -> str:
    url = TypeAdapter(HttpUrl).validate_python(value)
    if url.query or url.fragment or url.username or (url.path or "/") != "/":
        raise ValueError("a base address is scheme and authority only, such as https://ledger.example")
    if url.scheme == "http" and not is_loopback(url.host or ""):
        raise ValueError("plain http is for loopback only; elsewhere an address begins with https://")
    return str(url).rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether `host` is reachable from this machine only."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


BaseUrl = Annotated[str, AfterValidator(_base_url)]


class TrustedIssuer(BaseModel):
    """Another issuer whose access tokens are accepted: for whom, and for what."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: BaseUrl
    """Its address, as its tokens spell it in `iss`."""
    participants: tuple[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{1,62}$")], ...] = ()
    """Ids that its tokens may name as `client_id`; the operator's is never one of them."""
    scopes: tuple[str, ...] = ()
    """Scopes that its tokens can give, within those of the participant's roles."""

    @field_validator("scopes")
    @classmethod
    def _known(cls, scopes: tuple[str, ...]) -> tuple[str, ...]:
        known = frozenset[str]().union(*ROLE_SCOPES.values())
        if unknown := sorted(set(scopes) - known):
            raise ValueError(f"not scopes that a participant can have: {', '.join(unknown)}")
        return scopes


class Settings(BaseSettings):
    """All settings of a node. Secrets are files, never values."""

    model_config = SettingsConfigDict(
        env_prefix="CONSENT_LEDGER_",
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        validate_default=True,
    )

    state_dir: Path = Field(default_factory=default_state_dir)
    """Folder of everything that has no path of its own below."""

    database_url: str = ""
    """The log's database, `sqlite:///…` or `postgresql+psycopg://…`. Default: `ledger.sqlite` in the state folder."""
    keystore_url: str = ""
    """The key store's database, with credentials and backups of its own; every node of a log uses the same. Default:
    `keys.sqlite` in the state folder; beside a log on PostgreSQL, a database of its name and `_keys`, on its server."""
    bodies_at: str = ""
    """Where «consent-ledger tier move» puts old bodies, and every node reads them: a folder, or `s3://BUCKET/PREFIX`
    (credentials from the environment). Default: nowhere, all bodies stay in the database."""
    bodies_after_days: Annotated[int, Field(ge=31, le=36_500)] = 400
    """The age in days from which bodies of accesses are moved there."""
    keystore_in_file: bool = False
    """Allow a key store in a file of this machine beside a log on PostgreSQL: then no other machine may ever serve."""
    token_store_url: str = ""
    """Where used one-time tokens are remembered. Default: the log's database on PostgreSQL; on SQLite, whose writers wait
    for each other, the file `tokens.sqlite` in the state folder."""

    log_key_file: Path = Path()
    """The log's signing key (mode 0600). Default: `log.key` in the state folder."""
    kek_file: Path = Path()
    """The key-encryption key, 32 bytes (mode 0600). Default: `kek` in the state folder."""
    token_key_file: Path = Path()
    """The key that signs access tokens, a private JWK (mode 0600). Default: `token.key` in the state folder."""
    event_key_file: Path = Path()
    """The key that signs security event tokens, a private JWK (mode 0600). Default: `event.key` in the state folder."""
    operator_jwks_file: Path = Path()
    """Public keys of the operator's clients, a JWK set. Default: `operator.jwks.json` in the state folder."""
    highwater_dir: Path = Path()
    """Folder of the high-water files; keep it out of the database's backups. Default: `highwater` in the state folder."""
    gateway_file: Path = Path()
    """The gateway that signs for participants who use an outward standard (docs/standards/gateway.md); without the file, no
    standard is served. Default: `gateway.json` in the state folder; «consent-ledger gateway init» makes it."""
    models_dir: Path = Path()
    """Folder of the models of risk, each under its hash (docs/risk.md); every node that serves needs those that are in force.
    Default: `models` in the state folder."""
    set_file: Path = Path()
    """Where the shards are reached of which this log is the head log (docs/sets.md). Default: `set.json` in the state folder;
    «consent-ledger set add» writes it."""
    policy_file: Path | None = None
    """The tlog-policy enclosed in bundles. Default: this log's key, without witnesses."""
    monitors_file: Path | None = None
    """Who may read bundles of leaves with a bearer token, as C2SP tools do: lines of a name and the SHA-256 of its token in
    hexadecimal (docs/witnesses.md). Default: nobody."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 8000
    """TCP port to listen on; 0 lets the system choose."""
    public_url: BaseUrl | None = None
    """Scheme and authority under which clients reach this ledger: issuer of tokens and base of DPoP addresses.
    Default: `http://host:port` of the address listened on."""
    behind_tls_proxy: bool = False
    """Set when a proxy in front ends TLS: required to listen on anything but loopback."""
    trusted_proxies: str = "127.0.0.1"
    """Addresses, comma-separated, whose `X-Forwarded-For` is believed."""
    client_certificate_header: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{0,64}$")] = ""
    """The header in which the proxy that ends TLS tells of the client's certificate (RFC 9440 `Client-Cert`, nginx
    `$ssl_client_escaped_cert`, Envoy `x-forwarded-client-cert`), for clients with mutual TLS (RFC 8705). Empty: none."""
    proxy_secret_file: Path | None = None
    """What the proxy sends as `Proxy-Secret` beside that header (mode 0600): without it anybody could write the header."""
    dpop_nonce: Literal["off", "required"] = "off"
    """`required`: DPoP proofs must bring a nonce of this ledger (RFC 9449 §8, §9); a client without one is told it, and repeats
    its request. Tokens bound to certificates need none."""
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    """Number of processes that answer; from two upwards, one more sequences for them."""

    role: Literal["node", "reader"] = "node"
    """`node` records and answers; `reader` only answers reads, from a standby if need be (docs/scaling.md, «Readers»)."""
    vkey: str = ""
    """The log's verifier key, for a reader: it has no signing key."""
    write_at: tuple[BaseUrl, ...] = ()
    """Where statements are submitted, a JSON list of public addresses of nodes: a reader names them to whoever submits."""

    clock_lead_seconds: Annotated[int, Field(ge=1, le=86_400)] = 30
    """How far this machine's clock may be ahead of the time that has passed, and of the database's clock, before nothing new
    is recorded."""
    max_waiting: Annotated[int, Field(ge=1, le=1_000_000)] = 4096
    """Submissions that may wait in one process, before 503."""
    max_batch: Annotated[int, Field(ge=1, le=10_000)] = 512
    """Submissions that may share one commit."""
    index_interval_ms: Annotated[int, Field(ge=0, le=3_600_000)] = 1000
    """Milliseconds within which an index-head covers every entry, which makes completeness provable; 0 turns them off."""
    max_requests: Annotated[int, Field(ge=1, le=100_000)] = 1024
    """Requests in work at the same time in one process, before 503."""
    max_body_bytes: Annotated[int, Field(ge=16 * 2**20)] = 64 * 2**20
    """Bytes of bodies that one process holds at the same time, before 503."""
    token_requests_per_minute: Annotated[int, Field(ge=1)] = 120
    """Token requests of one network address in one minute, before 429."""
    reads_per_minute: Annotated[int, Field(ge=1)] = 6000
    """Reads of one client (public reads: of one network address) in one minute, before 429."""

    access_token_seconds: Annotated[int, Field(ge=30, le=600)] = 300
    """Lifetime of an access token in seconds."""
    external_issuers: tuple[TrustedIssuer, ...] = ()
    """Issuers whose access tokens are accepted too, a JSON list of `{"issuer", "participants": […], "scopes": […]}`: for these
    participants and scopes only, never for the operator. Their keys are found by OIDC discovery."""
    metrics_open: bool = False
    """Serve `/metrics` without a token, for a Prometheus that cannot prove a key; keep the port to your own network then."""
    log_level: Annotated[str, Field(pattern="^(debug|info|warning|error)$")] = "info"
    """Least severity of what is logged: `debug`, `info`, `warning` or `error`."""

    events_enabled: bool = True
    """Tell the parties of a consent what happens to it (docs/events.md). One process at a time does so for each database."""

    issue_reports: bool = True
    """Issue each report by itself when its period ends (docs/reports.md); of several processes the first one does so."""

    contacts_file: Path | None = None
    """How holders and recipients are reached, for receipts that people read: a JSON object by participant id
    (docs/standards/receipts.md). Without it receipts say «not stated»."""

    notices: NoticeSettings = NoticeSettings()
    """Notices to customers: `CONSENT_LEDGER_NOTICES__…` (docs/notices.md)."""

    web: WebSettings = WebSettings()
    """The pages for people: `CONSENT_LEDGER_WEB__…` (docs/people.md)."""

    @model_validator(mode="after")
    def _fill_in(self) -> Self:
        state, given = self.state_dir, {name for name in ("keystore_url", "token_store_url") if getattr(self, name)}
        blank = Path()
        fill: dict[str, object] = {
            "log_key_file": state / "log.key",
            "kek_file": state / "kek",
            "token_key_file": state / "token.key",
            "event_key_file": state / "event.key",
            "operator_jwks_file": state / "operator.jwks.json",
            "highwater_dir": state / "highwater",
            "gateway_file": state / "gateway.json",
            "set_file": state / "set.json",
            "models_dir": state / "models",
        }
        for name, value in fill.items():
            if getattr(self, name) == blank:
                object.__setattr__(self, name, value)
        if not self.database_url:
            object.__setattr__(self, "database_url", f"sqlite:///{state / 'ledger.sqlite'}")
        self._fill_in_key_store(state / "keys.sqlite")
        if not self.token_store_url:
            url = f"sqlite:///{state / 'tokens.sqlite'}" if is_file(self.database_url) else self.database_url
            object.__setattr__(self, "token_store_url", url)
        issuers = [one.issuer for one in self.external_issuers]
        if len(set(issuers)) != len(issuers) or self.base_url in issuers:
            raise ValueError("external_issuers names each other issuer once, and not this ledger itself")
        if self.web.environment == "development" and not is_loopback(urlsplit(self.base_url).hostname or ""):
            raise ValueError(
                f"refusing environment=development under {self.base_url}: behind a proxy it would let strangers sign in as "
                "anybody (/dev-idp). Set CONSENT_LEDGER_WEB__ENVIRONMENT=production, or a public address on loopback"
            )
        if self.role == "reader":
            self._check_reader(given)
        if bool(self.client_certificate_header) != (self.proxy_secret_file is not None):
            raise ValueError("client_certificate_header and proxy_secret_file are set together, or neither")
        if not self.behind_tls_proxy and not is_loopback(self.host):
            raise ValueError(
                f"refusing to listen on {self.host} without TLS: put a proxy that ends TLS in front and set "
                "CONSENT_LEDGER_BEHIND_TLS_PROXY=true, or listen on 127.0.0.1"
            )
        return self

    def _check_reader(self, given: set[str]) -> None:
        lacking = [name for name in ("vkey", "write_at") if not getattr(self, name)]
        # by default they lie in the log's database, which a reader cannot write
        lacking += [name for name in ("keystore_url", "token_store_url") if name not in given]
        if lacking:
            names = ", ".join(f"CONSENT_LEDGER_{name.upper()}" for name in lacking)
            raise ValueError(f"a reader needs {names} (docs/scaling.md, «Readers»)")
        if self.workers > 1:
            raise ValueError("a reader is one process: run several readers instead of workers")

    def _fill_in_key_store(self, file: Path) -> None:
        beside = key_store_beside(self.database_url)
        if beside is None:
            if not self.keystore_url:
                object.__setattr__(self, "keystore_url", f"sqlite:///{file}")
            return
        advice = "set CONSENT_LEDGER_KEYSTORE_IN_FILE=true if only this machine will ever serve this log"
        if not self.keystore_url:
            if file.exists():
                raise ValueError(
                    f"the key store of this log seems to be the file {file}: set CONSENT_LEDGER_KEYSTORE_URL=sqlite:///{file} "
                    f"and {advice}; or move the keys to PostgreSQL (docs/operating.md, «The key store»)"
                )
            object.__setattr__(self, "keystore_url", beside)
        elif is_file(self.keystore_url) and not self.keystore_in_file:
            raise ValueError(
                "refusing a key store in a file beside a log on PostgreSQL: another machine would have another one, and what "
                f"either writes the other could not read. Name a database of PostgreSQL, or {advice}"
            )

    @property
    def keystore_beside(self) -> bool:
        """Whether the key store is the default one beside a log on PostgreSQL, which `init` may make."""
        return self.keystore_url == key_store_beside(self.database_url)

    @property
    def base_url(self) -> str:
        """`public_url`, or the address listened on."""
        if self.public_url is not None:
            return self.public_url
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def node_config(self, highwater_file: Path) -> NodeConfig:
        """The core's part of these settings."""
        return NodeConfig(
            database_url=self.database_url,
            keystore_url=self.keystore_url,
            log_key_file=self.log_key_file,
            kek_file=self.kek_file,
            highwater_file=highwater_file,
            bodies_at=self.bodies_at,
            max_waiting=self.max_waiting,
            max_batch=self.max_batch,
            index_interval_ms=self.index_interval_ms,
            clock_file=self.highwater_dir / "clock",
            clock_lead_ms=self.clock_lead_seconds * 1000,
        )
