"""Reading Brazil's requests: exactly what the schema allows, and then the rules in its text."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from api.office.wish import Wish
from api.standards.brazil.permissions import ALWAYS, BUSINESS, MEANING, PERSONAL, is_whole, meaning_of
from api.standards.brazil.versions import NEWEST, BrazilVersion
from api.standards.dialects import DialectRefusal
from api.standards.forms import LATEST_SECOND, LATEST_YEAR
from ledger.entries.terms import Purpose

STANDARD: Final = "brazil-of"
_DATE: Final = re.compile(
    r"(\d{4})-(1[0-2]|0?[1-9])-(3[01]|[12][0-9]|0?[1-9])T([01]\d|2[0-3]):([0-5]\d):([0-5]\d)Z", re.ASCII
)
_PURPOSE: Final = Purpose("open-finance-data", "Compartilhamento de dados no Open Finance Brasil")


class CpfDocument(Struct, frozen=True):
    """The logged-in person's: personal data, kept in the sealed note only."""

    identification: Annotated[str, Meta(pattern=r"^[0-9]{11}\Z")]
    rel: Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z")]


class CnpjDocument(Struct, frozen=True):
    """The business's."""

    identification: Annotated[str, Meta(pattern=r"^[0-9A-Z]{12}[0-9]{2}\Z")]
    rel: Annotated[str, Meta(pattern=r"^[A-Z]{4}\Z")]


class LoggedUser(Struct, frozen=True):
    """The person at the recipient."""

    document: CpfDocument


class BusinessEntity(Struct, frozen=True):
    """The company that she acts for."""

    document: CnpjDocument


class Extension(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A renewal as it is listed (GET …/extensions)."""

    logged_user: LoggedUser
    request_date_time: str
    expiration_date_time: str | None = None
    previous_expiration_date_time: str | None = None
    x_fapi_customer_ip_address: str | None = None
    x_customer_user_agent: str | None = None


class Asked(Struct, frozen=True, rename="camel", omit_defaults=True):
    """`data` of a new consent."""

    permissions: Annotated[tuple[str, ...], Meta(min_length=1, max_length=256)]
    logged_user: LoggedUser
    business_entity: BusinessEntity | None = None
    expiration_date_time: Annotated[str, Meta(max_length=20)] | None = None
    is_linked: bool | None = None


class ConsentFacts(Struct, frozen=True, omit_defaults=True):
    """The sealed note of a consent: the request as it was worded, and every renewal since, newest first."""

    data: Asked
    extensions: tuple[Extension, ...] = ()


class AskedExtension(Struct, frozen=True, rename="camel"):
    """`data` of a renewal."""

    logged_user: LoggedUser
    business_entity: BusinessEntity | None = None
    expiration_date_time: Annotated[str, Meta(max_length=20)] | None = None


class _ExtensionBody(Struct, frozen=True):
    data: AskedExtension


_facts: Final = msgspec.json.Decoder(ConsentFacts)
_extension: Final = msgspec.json.Decoder(_ExtensionBody)


def unprocessable(code: str, detail: str) -> DialectRefusal:
    """HTTP 422 with one of the standard's codes."""
    return DialectRefusal(422, code, detail)


def malformed(detail: str) -> DialectRefusal:
    """HTTP 400."""
    return DialectRefusal(400, "PARAMETRO_INVALIDO", detail)


def parse_request(body: bytes, version: BrazilVersion = NEWEST) -> Asked:
    """Raises Refusal 400 for a body that the version's schema refuses."""
    try:
        asked = _facts.decode(body).data
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise malformed(f"o corpo não corresponde a CreateConsent: {error}") from None
    unknown = sorted(set(asked.permissions) - (MEANING.keys() - version.without))
    if unknown:
        raise malformed(
            f"data.permissions: uma permissão não pertence a nenhum agrupamento de consents {version.number}"
        )
    return msgspec.structs.replace(asked, expiration_date_time=_end_of(asked.expiration_date_time, version))


def _end_of(said: str | None, version: BrazilVersion) -> str | None:
    """The end as the newest version says it. Raises Refusal 400."""
    if said is None and version.never:
        raise malformed(f"data.expirationDateTime é de preenchimento obrigatório em consents {version.number}")
    if said is None or said == version.never:
        return None
    parse_time(said)
    return said


def parse_facts(note: bytes | None) -> ConsentFacts | None:
    """The note that this standard wrote; None for a consent that was not asked for in its words."""
    try:
        return None if note is None else _facts.decode(note)
    except msgspec.DecodeError:
        return None


def parse_extension(body: bytes, version: BrazilVersion = NEWEST) -> AskedExtension:
    """Raises Refusal 400 for a body that the version's schema refuses."""
    try:
        asked = _extension.decode(body).data
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise malformed(f"o corpo não corresponde a CreateConsentExtensions: {error}") from None
    return msgspec.structs.replace(asked, expiration_date_time=_end_of(asked.expiration_date_time, version))


def parse_time(text: str) -> int:
    """Seconds. The schema's pattern allows months and days of one digit. Raises Refusal 400."""
    found = _DATE.fullmatch(text)
    if found is None:
        raise malformed("expirationDateTime não é uma data e hora da RFC 3339 em UTC, com segundos inteiros")
    try:
        year, month, day, hour, minute, second = (int(part) for part in found.groups())
        return int(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp())
    except ValueError:
        raise malformed("expirationDateTime não é um dia do calendário") from None


def wish_of(asked: Asked, *, now: int, not_offered: Collection[str] = (), version: BrazilVersion = NEWEST) -> Wish:
    """The terms that a request comes to at `now` (seconds). Raises Refusal 422 by the rules of the text.

    `not_offered`: codes of products that the holder does not have; they fall away, unless nothing is left.
    """
    codes = frozenset(asked.permissions)
    if codes & PERSONAL and codes & BUSINESS:
        raise unprocessable(
            "PERMISSAO_PF_PJ_EM_CONJUNTO",
            "permissões de pessoa natural e de pessoa jurídica foram solicitadas em conjunto",
        )
    if codes & BUSINESS and asked.business_entity is None:
        raise unprocessable(
            "INFORMACOES_PJ_NAO_INFORMADAS", "permissões de pessoa jurídica foram solicitadas sem businessEntity"
        )
    if codes & PERSONAL and asked.business_entity is not None:
        raise unprocessable(
            "PERMISSOES_PJ_INCORRETAS", "businessEntity foi informado, e foram solicitadas permissões de pessoa natural"
        )
    if codes == {ALWAYS}:
        raise unprocessable("SEM_PERMISSOES_FUNCIONAIS_RESTANTES", "RESOURCES_READ sozinha não dá acesso a nada")
    if not is_whole(codes):
        raise unprocessable(
            "COMBINACAO_PERMISSOES_INCORRETA",
            f"as permissões não formam agrupamentos completos de consents {version.number}",
        )
    kept = codes - frozenset(not_offered)
    if not kept - {ALWAYS}:
        raise unprocessable(
            "SEM_PERMISSOES_FUNCIONAIS_RESTANTES", "a instituição transmissora não oferece estes produtos"
        )
    expires_at = 0
    if asked.expiration_date_time is not None:
        expires_at = parse_time(asked.expiration_date_time)
        if not now < expires_at <= LATEST_SECOND:
            raise unprocessable(
                "DATA_EXPIRACAO_INVALIDA", f"expirationDateTime não está no futuro, ou está depois de {LATEST_YEAR}"
            )
    return Wish(
        permissions=meaning_of(kept),
        standard=STANDARD,
        standard_version=version.number,
        purpose=_PURPOSE,
        expires_at=expires_at,
        language="pt-BR",
    )
