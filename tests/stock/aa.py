"""India's Account Aggregator, with a client generated from the aggregator's own file; its messages are signed."""

from __future__ import annotations

import base64
import json
import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256

from ledger.canonical import b64u, unb64u
from tests.stock.scene import BANK, Scene, StockApp, expect
from tests.stock.sealing import OneTimeKey

META: Final = base64.b64encode(json.dumps({"recipient-id": BANK}).encode()).decode()
"""`x-request-meta`: for whom a router would hand the message on."""
NO_FIP: Final = {"fip_api_key": ""}
"""The file demands both parties' keys of either: the one that this is not stays empty."""


def walk(scene: Scene) -> dict[str, int]:
    """The keys of certificate and messages are known to the operator: nobody registers here. What the log must hold of
    it."""
    with scene.app("aa") as app:
        fiu = Fiu(app, scene.keys_of("gateway"))
        asked = fiu.says("ConsentFlowApi", "consent_post", "ConsentsRequestWrapper", ConsentDetail=_detail(app))
        handle = asked["ConsentHandle"]
        expect(fiu.handle(handle), {"status": "PENDING"})
        scene.customer.agrees(f"{scene.ports.ledger_url}/my/approve?consent={handle}")
        expect(fiu.handle(handle), {"status": "READY", "id": handle})
        artefact = fiu.artefact(handle)
        expect((artefact["status"], artefact["ConsentUse"]["count"]), ("ACTIVE", 0))
        detail = json.loads(fiu.checked(artefact["signedConsent"]))
        expect((detail["DataConsumer"]["id"], detail["DataProvider"]["id"]), (app.participant, BANK), detail)
        fiu.refuses_a_wrong_signature(handle)

        details = [{"type": "account_information", "consent_id": handle}]
        token = app.step("client_credentials", details=details)["access_token"]
        own = OneTimeKey()
        session = fiu.asks_for_data(artefact, token, own)
        given = fiu.data(session, token)
        expect(given["status"], 200, given)
        [information] = given["said"]["FI"]
        links = sorted(one["linkRefNumber"] for one in information["data"])
        expect(links, sorted(one["linkRefNumber"] for one in detail["Accounts"]))
        opened = [own.open(one["encryptedFI"], information["KeyMaterial"]) for one in information["data"]]
        expect(sorted(re.findall("[0-9.]+", "".join(opened))), ["1250.30", "8800.00"])
        expect(fiu.artefact(handle)["ConsentUse"]["count"], 1)

        told = fiu.says(
            "NotificationsApi",
            "consent_notification_post",
            "ConsentNotificationRequestWrapper",
            more=NO_FIP,
            Notifier={"type": "FIU", "id": app.participant},
            ConsentStatusNotification={"consentId": handle, "consentStatus": "REVOKED"},
        )
        expect(told["response"], "OK")
        ended = fiu.artefact(handle)
        expect((ended["status"], ended["signedConsent"]), ("REVOKED", artefact["signedConsent"]), ended)
        expect(fiu.data(session, token)["status"], 401)
        expect(app.step("introspect", token=token)["active"], False)
    return {"consent.request": 1, "consent.authorise": 1, "consent.revoke": 1, "allow": 1}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _detail(app: StockApp) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "consentStart": now.isoformat(timespec="milliseconds"),
        "consentExpiry": (now + timedelta(days=90)).isoformat(timespec="milliseconds"),
        "consentMode": "STORE",
        "fetchType": "PERIODIC",
        "consentTypes": ["SUMMARY"],
        "fiTypes": ["DEPOSIT"],
        "DataConsumer": {"id": app.participant, "type": "FIU"},
        "Customer": {"id": "mei@aggregator"},
        "Purpose": {
            "code": "102",
            "refUri": "https://api.rebit.org.in/aa/purpose/102.xml",
            "text": "Customer spending patterns, budget or other reportings",
            "Category": {"type": "Personal Finance"},
        },
        "FIDataRange": {
            "from": (now - timedelta(days=90)).isoformat(timespec="milliseconds"),
            "to": now.isoformat(timespec="milliseconds"),
        },
        "DataLife": {"unit": "MONTH", "value": 3},
        "Frequency": {"unit": "DAY", "value": 4},
    }


@dataclass
class Fiu:
    """An FIU. Where its file asks for a key of the aggregator's, it sends its access token."""

    app: StockApp
    aggregator: dict[str, dict[str, str]]
    """The aggregator's public keys by their ids."""
    _token: str = ""

    @property
    def token(self) -> str:
        self._token = self._token or self.app.step("client_credentials")["access_token"]
        return self._token

    def handle(self, handle: str) -> dict[str, Any]:
        """How the request stands."""
        said = self.says("ConsentFlowApi", "consent_handle_post", "ConsentHandleRequestWrapper", ConsentHandle=handle)
        return dict(said["ConsentStatus"])

    def artefact(self, consent: str) -> dict[str, Any]:
        """The consent as it was signed, and how it stands."""
        return self.says(
            "ConsentFlowApi",
            "consent_fetch_post",
            "ConsentFetchRequestWrapper",
            more=NO_FIP,
            consentId=consent,
        )

    def refuses_a_wrong_signature(self, consent: str) -> None:
        """Ends the run unless the ledger refuses a message that another signature came with."""
        message = {"ver": "2.1.0", "timestamp": _now(), "txnid": str(uuid.uuid4()), "ConsentHandle": consent}
        other = self.signed(b"{}")
        answer = self._ask("ConsentFlowApi", "consent_handle_post", "ConsentHandleRequestWrapper", message, sign=other)
        expect((answer["status"], answer["said"]["errorCode"]), (400, "SignatureDoesNotMatch"), answer)

    def asks_for_data(self, artefact: dict[str, Any], token: str, key: OneTimeKey) -> str:
        """A session at the FIP."""
        now = datetime.now(UTC)
        answer = self._at_the_bank(
            "f_i_request_post",
            "FIRequestWrapper",
            token,
            Consent={"id": artefact["consentId"], "digitalSignature": artefact["signedConsent"].rpartition(".")[2]},
            FIDataRange={"from": (now - timedelta(days=30)).isoformat(), "to": now.isoformat()},
            KeyMaterial=key.material,
        )
        expect(answer["status"], 200, answer)
        return str(answer["said"]["sessionId"])

    def data(self, session: str, token: str) -> dict[str, Any]:
        """What the FIP gives, or how it refuses."""
        return self._at_the_bank("f_i_fetch_post", "FIFetchRequestWrapper", token, sessionId=session, fipId=BANK)

    def says(
        self, api: str, call: str, model: str, *, more: dict[str, str] | None = None, **members: Any
    ) -> dict[str, Any]:
        """A signed message to the aggregator, and its signed answer. Ends the run for any other."""
        message = {"ver": "2.1.0", "timestamp": _now(), "txnid": str(uuid.uuid4()), **members}
        answer = self._ask(api, call, model, message, more)
        expect(answer["status"], 200, answer)
        expect(answer["said"]["txnid"], message["txnid"], answer)
        told = {name.lower(): value for name, value in answer["headers"].items()}
        self.checked(told["x-jws-signature"], answer["text"].encode())
        said: dict[str, Any] = answer["said"]
        return said

    def signed(self, body: bytes) -> str:
        """`x-jws-signature` of a body: RS256, as ReBIT publishes it."""
        key = self.app.signing
        head = b64u(json.dumps({"alg": "RS256", "b64": False, "crit": ["b64"], "kid": key.kid}).encode())
        return f"{head}..{b64u(key.private.sign(head.encode() + b'.' + body, PKCS1v15(), SHA256()))}"

    def checked(self, jws: str, detached: bytes | None = None) -> bytes:
        """The payload of a JWS that the aggregator has signed with RS256. Raises InvalidSignature."""
        head, payload, signature = jws.split(".")
        said = json.loads(unb64u(head))
        expect(said["alg"], "RS256", said)
        numbers = (int.from_bytes(unb64u(self.aggregator[said["kid"]][name])) for name in ("e", "n"))
        signed = head.encode() + b"." + (payload.encode() if detached is None else detached)
        RSAPublicNumbers(*numbers).public_key().verify(unb64u(signature), signed, PKCS1v15(), SHA256())
        return unb64u(payload) if detached is None else detached

    def _ask(
        self,
        api: str,
        call: str,
        model: str,
        message: dict[str, Any],
        more: dict[str, str] | None = None,
        *,
        sign: str = "",
        host: str = "",
        token: str = "",
    ) -> dict[str, Any]:
        client = self.app.generated("aa")
        sent = client.ask(write=model, body=message)["text"]
        return client.ask(
            host=host or f"{self.app.scene.ports.ledger_url}/holders/{BANK}/aa/v2",
            api=api,
            call=call,
            model={"body": model},
            body=message,
            whole=True,
            parameters={
                "client_api_key": token or self.token,
                "x_jws_signature": sign or self.signed(sent.encode()),
                "x_request_meta": META,
                **(more or {}),
            },
        )

    def _at_the_bank(self, call: str, model: str, token: str, **members: Any) -> dict[str, Any]:
        message = {"ver": "2.1.0", "timestamp": _now(), "txnid": str(uuid.uuid4()), **members}
        host = f"{self.app.scene.ports.bank_url}/aa/v2"
        return self._ask("DataFlowApi", call, model, message, host=host, token=token)
