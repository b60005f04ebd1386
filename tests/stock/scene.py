"""A ledger as an operator starts it, a bank, a register, a customer; and apps with a certificate and a stock client each."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from api.client import LocalSigner
from ledger.canonical import b64u
from tests.conformance import ROOT
from tests.keys import KeyPair
from tests.standards.registers import ISSUERS, Register, open_register, published, request_of
from tests.stock.authorities import Authority
from tests.stock.customer import CustomerAtHerBrowser, at_her_browser
from tests.stock.front import Ports, nginx
from tests.stock.programs import Refused, Told, client, free_port, server

ORIGIN: Final = "ledger.example/stock"
BANK: Final = "bank-a"
SECRET: Final = "what the proxy of this scene knows"
FORMS: Final = {"uk": "uk", "brazil": "brazil", "cdr": "cdr"}
"""Of the standards whose registers sign software statements."""
BIN: Final = Path(sys.executable).parent


@dataclass(frozen=True)
class Built:
    """What scripts/test-standards has made: the generated clients, and an interpreter that has only what they need."""

    folder: Path

    @property
    def python(self) -> str:
        return str(self.folder / "venv" / "bin" / "python")


@dataclass
class StockApp:
    """An app: a certificate, keys, a generated client for each official file, and a stock OAuth client."""

    scene: Scene
    standard: str
    participant: str
    certificate: Path
    transport: KeyPair
    signing: KeyPair
    stack: ExitStack
    register: Register | None = None
    clients: dict[str, Told] = field(default_factory=dict)
    _oauth: Told | None = None

    @property
    def oauth(self) -> Told:
        """oauth4webapi, with the app's certificate and signing key."""
        if self._oauth is None:
            file = self.scene.folder / f"{self.participant}.jwk"
            file.write_text(json.dumps({**private_jwk(self.signing), "kid": self.signing.kid}))
            command = ["node", "--no-warnings", str(ROOT / "tests" / "oauth" / "certificate.mjs")]
            told = [self.scene.ports.ledger_url, self.participant, str(self.certificate), str(self.scene.web)]
            method = "private_key_jwt" if self.standard == "cdr" else "tls_client_auth"
            self._oauth = self.stack.enter_context(client([*command, *told, str(file), method]))
        return self._oauth

    def step(self, step: str, **said: Any) -> dict[str, Any]:
        """A step of the OAuth client. Raises Refused."""
        answer: dict[str, Any] = self.oauth.ask(step=step, **said)["said"]
        return answer

    def metadata_at(self, path: str) -> dict[str, Any]:
        """What an address of the ledger publishes."""
        with self.scene.http(self.certificate) as http:
            answer = http.get(path)
        expect(answer.status_code, 200, answer.text)
        said: dict[str, Any] = answer.json()
        return said

    def generated(self, package: str) -> Told:
        """The client that was generated from one official file."""
        if package not in self.clients:
            built = self.scene.built
            command = [built.python, "-P", str(Path(__file__).with_name("caller.py")), package]
            path = {"PYTHONPATH": str(built.folder / package)}
            self.clients[package] = self.stack.enter_context(
                client([*command, str(self.certificate), str(self.scene.web)], path)
            )
        return self.clients[package]

    def registered(self) -> dict[str, Any]:
        """It registers with a request that it signs, over its certificate: both keys come into the log by this."""
        assert self.register is not None
        text = request_of(
            self.register,
            self.signing,
            self.scene.ports.ledger_url,
            redirect_uris=[self.scene.ports.back],
            statement=self.statement(),
            token_endpoint_auth_method="tls_client_auth",
        )
        with self.scene.http(self.certificate) as http:
            answer = http.post("/oauth/register", content=text, headers={"content-type": "application/jwt"})
        expect(answer.status_code, 201, answer.text)
        said: dict[str, Any] = answer.json()
        return said

    def statement(self) -> str:
        """What its register has signed about it."""
        assert self.register is not None
        name = "redirect_uris" if self.register.form == "cdr" else "software_redirect_uris"
        return self.register.statement(**{name: [self.scene.ports.back]})


@dataclass
class Scene:
    """All that runs."""

    folder: Path
    ports: Ports
    built: Built
    web: Path
    """The certificate of who signed the servers' certificates."""
    authorities: dict[str, Authority]
    customer: CustomerAtHerBrowser
    environment: dict[str, str]
    vkey: str

    def audited(self) -> dict[str, int]:
        """The bundle of the whole log, judged by the auditor's own program: what it counts. Raises AssertionError unless
        that says VALID."""
        bundle, policy = self.folder / "bundle.zip", self.folder / "policy"
        policy.write_text(f"log {self.vkey}\nquorum none\n")
        _run(["export", str(bundle), "--reason", "audit"], self.environment)
        judge = [str(BIN / "consent-verify"), "bundle", str(bundle), "--policy", str(policy), "--jobs", "1", "--json"]
        done = subprocess.run(judge, check=False, capture_output=True, text=True, timeout=900)
        told = [json.loads(line) for line in done.stdout.splitlines()]
        expect((done.returncode, told[-1]["code"]), (0, "VALID"), done.stdout + done.stderr)
        return {
            one["what"]: one["count"] for one in told if one["event"] == "count" and one["of"] in ("act", "decision")
        }

    def keys_of(self, participant: str) -> dict[str, dict[str, str]]:
        """The public keys of a participant by their ids, as the ledger tells everyone."""
        with self.http(next(self.folder.glob("*.client.pem"))) as http:
            answer = http.get(f"/participants/{participant}")
        expect(answer.status_code, 200, answer.text)
        return {key["kid"]: key["jwk"] for key in answer.json()["keys"]}

    def http(self, certificate: Path) -> httpx2.Client:
        """A plain HTTP client with a certificate, at the ledger."""
        trust = httpx2.create_ssl_context(verify=str(self.web), trust_env=False)
        trust.load_cert_chain(certificate)
        return httpx2.Client(base_url=self.ports.ledger_url, verify=trust, timeout=120, trust_env=False)

    @contextmanager
    def app(self, standard: str) -> Iterator[StockApp]:
        """The app of a standard."""
        with ExitStack() as stack:
            transport, signing = rsa_key(f"{standard}-transport"), rsa_key(f"{standard}-signing")
            certificate = self.authorities[standard].client(standard, transport, self.folder)
            app = StockApp(self, standard, f"app-{standard}", certificate, transport, signing, stack)
            if standard in FORMS:
                app.register = stack.enter_context(open_register(FORMS[standard], participant=app.participant))
                place = "transport" if standard == "brazil" else "software"
                app.register.sets["software"] = [published(signing, use="sig", alg="PS256")]
                app.register.sets.setdefault(place, []).append(published(transport))
            yield app


_KEYS: Final[dict[str, KeyPair]] = {}


def rsa_key(kid: str) -> KeyPair:
    """As ecosystems have them; made once."""
    return _KEYS.setdefault(kid, KeyPair.generate("PS256", kid))


def private_jwk(key: KeyPair) -> dict[str, str]:
    assert isinstance(key.private, RSAPrivateKey)
    numbers = key.private.private_numbers()
    secret = {
        "d": numbers.d,
        "dp": numbers.dmp1,
        "dq": numbers.dmq1,
        "p": numbers.p,
        "q": numbers.q,
        "qi": numbers.iqmp,
    }
    told = {name: b64u(value.to_bytes((value.bit_length() + 7) // 8)) for name, value in secret.items()}
    return {**key.jwk, **told}


def expect(found: object, wanted: object, about: object = "") -> None:
    """Ends the run where something is not as it must be."""
    if found != wanted:
        raise AssertionError(f"{found!r}, and not {wanted!r}: {about}")


def refuses_refresh(app: StockApp, token: str) -> None:
    """Ends the run where a refresh token gives anything after its consent has ended."""
    try:
        said = app.step("refresh", token=token)
    except Refused as refusal:
        expect("invalid_grant" in str(refusal), True, refusal)
    else:
        raise AssertionError(f"a refresh token outlived its consent: {said}")


@contextmanager
def running_scene(folder: Path, built: Built, standards: list[str]) -> Iterator[Scene]:
    """The whole of it; every program's log stays in the folder."""
    ports = Ports(*(free_port() for _ in range(5)))
    web = Authority.new("web")
    authorities = {name: Authority.new(f"{name}-authority") for name in standards}
    (folder / "web.pem").write_text(web.pem)
    (folder / "proxy.secret").write_text(SECRET)
    (folder / "proxy.secret").chmod(0o600)
    environment = _settings(folder, ports)
    told = _set_up(folder, ports, environment, standards)
    with ExitStack() as stack:
        front = nginx(folder, ports, web, authorities.values(), SECRET)
        stack.enter_context(server(front, ports.ledger_tls, folder / "front.log"))
        serve = [str(BIN / "consent-ledger"), "serve"]
        stack.enter_context(server(serve, ports.ledger, folder / "ledger.log", environment))
        bank = [sys.executable, "-m", "tests.stock.bank", str(folder / "bank.json")]
        (folder / "bank.json").write_text(json.dumps(told))
        stack.enter_context(server(bank, ports.bank, folder / "bank.log", {"SSL_CERT_FILE": str(folder / "web.pem")}))
        customer = stack.enter_context(at_her_browser(ports.ledger_url))
        yield Scene(folder, ports, built, folder / "web.pem", authorities, customer, environment, told["vkey"])


def _settings(folder: Path, ports: Ports) -> dict[str, str]:
    said = {
        "BEHIND_TLS_PROXY": "true",
        "CLIENT_CERTIFICATE_HEADER": "Client-Cert",
        "EVENTS_ENABLED": "true",
        "PORT": str(ports.ledger),
        "PROXY_SECRET_FILE": str(folder / "proxy.secret"),
        "PUBLIC_URL": ports.ledger_url,
        "STATE_DIR": str(folder / "state"),
        "WEB__CUSTOMERS_FILE": str(folder / "customers.json"),
        "WEB__ENVIRONMENT": "development",
        "WEB__HOLDERS_FILE": str(folder / "holders.json"),
    }
    return {"SSL_CERT_FILE": str(folder / "web.pem")} | {
        f"CONSENT_LEDGER_{name}": value for name, value in said.items()
    }


def _set_up(folder: Path, ports: Ports, environment: dict[str, str], standards: list[str]) -> dict[str, str]:
    """The bank's keys, the setup file, `init`, `gateway setup`; what the bank's application is told."""
    keys = {kid: LocalSigner.generate(kid, "ES256") for kid in ("bank-pages", "bank-statement", "bank-client")}
    for kid, key in keys.items():
        key.save(folder / f"{kid}.pem")
    for name, kids in (("statement", ("bank-pages", "bank-statement")), ("client", ("bank-client",))):
        jwks = [{**keys[kid].jwk, "kid": kid} for kid in kids]
        (folder / f"bank.{name}.json").write_text(json.dumps({"keys": jwks}))
    (folder / "references").write_bytes(bytes(range(32)))
    (folder / "references").chmod(0o600)
    accounts = [{"id": "a-1", "label": "Everyday account ··4021"}, {"id": "a-2", "label": "Savings ··7733"}]
    mei = {
        "sub": "mei",
        "holder": BANK,
        "subject": "mei-lin-of-this-scene-only",
        "name": "Mei Lin",
        "accounts": accounts,
    }
    (folder / "customers.json").write_text(json.dumps({"customers": [mei]}))
    pages = {
        "holder": BANK,
        "kid": "bank-pages",
        "key_file": "bank-pages.pem",
        "secret_file": "references",
        "accounts_file": "customers.json",
    }
    (folder / "holders.json").write_text(json.dumps({"holders": [pages]}))
    (folder / "gateway.toml").write_text(setup_text(folder, ports, standards))
    [vkey] = re.findall(r"ledger\.example/stock\+[0-9a-f]{8}\+\S+", _run(["init", "--origin", ORIGIN], environment))
    _run(["gateway", "setup", str(folder / "gateway.toml")], environment)
    return {
        "holder": BANK,
        "ledger": ports.ledger_url,
        "port": str(ports.bank),
        "public_url": ports.bank_url,
        "references": str(folder / "references"),
        "statement_kid": "bank-statement",
        "statement_key": str(folder / "bank-statement.pem"),
        "client_kid": "bank-client",
        "client_key": str(folder / "bank-client.pem"),
        "vkey": vkey,
    }


def setup_text(folder: Path, ports: Ports, standards: list[str]) -> str:
    """The gateway's setup file: the bank, an app for each standard, and the registers that speak for some of them."""
    acts = [
        "consent.authorise",
        "consent.pause",
        "consent.reject",
        "consent.resume",
        "consent.revoke",
        "subject.consent",
    ]
    lines = [
        f"[holders.{BANK}]",
        'name = "First Bank plc"',
        'statement_keys = "bank.statement.json"',
        'client_keys = "bank.client.json"',
        f"acts = {json.dumps(acts)}",
        'options = {berlin_approach = "oauth", berlin_identification = "certificate"}',
    ]
    for name in standards:
        lines += [f"[recipients.app-{name}]", f'name = "Plum {name}"']
        if (
            name not in FORMS
        ):  # its certificate's key is shown to the operator, and where it signs messages the key of these
            key = rsa_key(f"{name}-transport")
            shown = [published(key), *([published(rsa_key("aa-signing"))] if name == "aa" else [])]
            (folder / f"{name}.client.json").write_text(json.dumps({"keys": shown}))
            lines += [f'client_keys = "{name}.client.json"', f'redirect_uris = ["{ports.back}"]']
    for name in standards:
        if name in FORMS:
            register = Register(FORMS[name], "", participant=f"app-{name}")
            own = {"keys": [published(register.key, alg="PS256", use="sig")]}
            (folder / f"{name}.register.json").write_text(json.dumps(own))
            lines += [
                "[[registers]]",
                f'issuer = "{ISSUERS[FORMS[name]]}"',
                f'form = "{FORMS[name]}"',
                f'jwks_file = "{folder / f"{name}.register.json"}"',
                f'software = {{"{register.software}" = "app-{name}"}}',
            ]
    return "\n".join(lines) + "\n"


def _run(arguments: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(
        [str(BIN / "consent-ledger"), *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=600,
        env=os.environ | environment,
    )
    if done.returncode != 0:
        raise RuntimeError(f"consent-ledger {' '.join(arguments)}: {done.stdout}{done.stderr}")
    return done.stdout
