"""What takes a notice out of the house: a mail server, or the bank's own gateway for text messages and for its app.

A hook is posted to as an event is (api/events/delivery.py): to a public https address only, without following anybody anywhere.
"""

from __future__ import annotations

import asyncio
import hmac
import smtplib
import ssl
from collections.abc import Mapping
from email.message import EmailMessage
from typing import Final, Protocol

import msgspec

from api.events.delivery import Message, NotDelivered, Push
from api.node.notice_settings import NoticeSettings
from api.web.outbox import PersonalMessage
from api.web.subscriptions import Channel
from ledger.canonical import b64u
from ledger.clock import Clock
from ledger.errors import InvalidInput
from ledger.secrets import read_secret

TIMEOUT_SECONDS: Final = 10.0
LEAST_SECRET: Final = 32
TAKEN: Final = frozenset({200, 202, 204})
SIGNATURE: Final = "consent-ledger-signature"


class NotCarried(Exception):
    """A notice was not taken. `code` is for records; `for_good`: trying again would not help."""

    def __init__(self, code: str, *, for_good: bool) -> None:
        super().__init__(code)
        self.code = code
        self.for_good = for_good


class Carrier(Protocol):
    """Takes one notice at a time; blocking."""

    def carry(self, name: bytes, message: PersonalMessage) -> None:
        """Returns when it was taken. Raises NotCarried."""
        ...


class Mailer:
    """E-mail through the operator's own server."""

    def __init__(self, settings: NoticeSettings, unsubscribe: str) -> None:
        """`unsubscribe` is the address of the page where a customer ends it. Raises NotFound, InvalidInput for the secret."""
        self._settings = settings
        self._unsubscribe = unsubscribe
        file = settings.smtp_password_file
        self._password = read_secret(file).decode().strip() if file is not None else ""

    def carry(self, name: bytes, message: PersonalMessage) -> None:
        """See Carrier."""
        mail = self._mail(name, message)
        try:
            with self._server() as server:
                server.send_message(mail)
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            raise NotCarried(f"smtp-{codes[0]}", for_good=all(code >= 500 for code in codes)) from None
        except smtplib.SMTPResponseException as error:
            raise NotCarried(f"smtp-{error.smtp_code}", for_good=False) from None
        except (smtplib.SMTPException, OSError):
            raise NotCarried("no-connection", for_good=False) from None

    def _server(self) -> smtplib.SMTP:
        known = self._settings
        trust = ssl.create_default_context()
        if known.smtp_security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                known.smtp_host, known.smtp_port, timeout=TIMEOUT_SECONDS, context=trust
            )
        else:
            server = smtplib.SMTP(known.smtp_host, known.smtp_port, timeout=TIMEOUT_SECONDS)
        try:
            if known.smtp_security == "starttls":
                server.starttls(context=trust)
            if known.smtp_user:
                server.login(known.smtp_user, self._password)
        except BaseException:
            server.close()
            raise
        return server

    def _mail(self, name: bytes, message: PersonalMessage) -> EmailMessage:
        mail = EmailMessage()
        mail["From"] = self._settings.mail_from
        mail["To"] = message.address
        mail["Subject"] = message.subject
        mail["Message-ID"] = f"<{name.hex()}@{self._settings.mail_from.rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail["Content-Language"] = message.language
        mail["List-Unsubscribe"] = f"<{self._unsubscribe}>"
        mail.set_content(message.text)
        return mail


class Hook:
    """A bank's own gateway: it knows the customer's number or device; what it is sent names her by her `sub` only."""

    def __init__(self, url: str, secret: bytes, clock: Clock, *, development: bool) -> None:
        """`development` allows a gateway on this machine. Raises InvalidInput for a secret that is too short."""
        if len(secret) < LEAST_SECRET:
            raise InvalidInput(f"hook_secret_file holds {len(secret)} bytes; it must hold at least {LEAST_SECRET}")
        self._url = url
        self._secret = secret
        self._clock = clock
        self._development = development

    def carry(self, name: bytes, message: PersonalMessage) -> None:
        """See Carrier."""
        said = {
            "id": b64u(name),
            "channel": message.channel,
            "holder": message.person.holder,
            "sub": message.person.sub,
            "language": message.language,
            "title": message.subject,
            "text": message.short,
        }
        body = msgspec.json.encode(said)
        at = str(self._clock.now() // 1000)
        proof = hmac.digest(self._secret, at.encode() + b"." + body, "sha256").hex()
        sent = Message(body, "application/json", ((SIGNATURE, f"t={at},v1={proof}"),), TAKEN)
        try:
            asyncio.run(self._post(sent))
        except NotDelivered as failure:
            raise NotCarried(failure.code, for_good=failure.code == "address-refused") from None

    async def _post(self, message: Message) -> None:
        push = Push(development=self._development)
        try:
            await push.send(self._url, message)
        finally:
            await push.aclose()


def carriers(settings: NoticeSettings, base_url: str, clock: Clock, *, development: bool) -> Mapping[Channel, Carrier]:
    """Those that the settings name. Raises NotFound, InvalidInput for unfit secrets."""
    found: dict[Channel, Carrier] = {}
    if settings.smtp_host:
        found["mail"] = Mailer(settings, f"{base_url}/my/notices")
    if settings.hook_secret_file is not None:
        secret = read_secret(settings.hook_secret_file)
        if settings.sms_url:
            found["sms"] = Hook(settings.sms_url, secret, clock, development=development)
        if settings.push_url:
            found["push"] = Hook(settings.push_url, secret, clock, development=development)
    return found
