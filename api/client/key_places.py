"""The services that keep keys and are asked over HTTP.

Each is loaded when a key is kept there: most keys are in files, and need neither HTTP nor a cloud's library.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from ledger.custody.places import SCHEMES, Scheme
from ledger.errors import InvalidInput


def _vault() -> Scheme:
    from api.client.transit import TRANSIT  # noqa: PLC0415

    return TRANSIT


def _aws() -> Scheme:
    try:
        from api.client.aws_kms import AWS  # noqa: PLC0415
    except ModuleNotFoundError:
        raise InvalidInput(
            "keys in AWS KMS need botocore: install the extra consent-ledger[awskms] and start again"
        ) from None
    return AWS


def _google() -> Scheme:
    try:
        from api.client.google_kms import GOOGLE  # noqa: PLC0415
    except ModuleNotFoundError:
        raise InvalidInput(
            "keys in Google Cloud KMS need google-auth: install the extra consent-ledger[gcpkms] and start again"
        ) from None
    return GOOGLE


SERVICES: Final[Mapping[str, Callable[[], Scheme]]] = MappingProxyType(
    {"awskms": _aws, "gcpkms": _google, "vault": _vault}
)
"""By the URI's scheme."""


def add_key_services() -> None:
    """Let keys of this process be kept in the services, too: the core by itself speaks no HTTP."""
    for scheme, load in SERVICES.items():
        SCHEMES.setdefault(scheme, load)
