"""Validation against the official documents: OpenAPI 3.0 and Swagger 2.0 schemas are read as JSON Schema of draft 4 or 7."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from jsonschema import Draft4Validator, FormatChecker, ValidationError

FORMATS = FormatChecker(formats=())


@FORMATS.checks("date-time", raises=ValueError)
def _is_date_time(value: object) -> bool:
    if not isinstance(value, str):
        return True
    datetime.fromisoformat(value)
    return "T" in value


@FORMATS.checks("uri", raises=ValueError)
def _is_uri(value: object) -> bool:
    return not isinstance(value, str) or "://" in value or value.startswith("urn:")


def conforms(instance: Any, document: dict[str, Any], pointer: str) -> None:
    """Raise ValidationError unless `instance` is what the schema at `pointer` (such as `#/definitions/Consent`) allows. This
    machine's address stands for the ledger's public one: some schemas take no other."""
    instance = json.loads(re.sub(r"http://127\.0\.0\.1:[0-9]+", "https://ledger.test", json.dumps(instance)))
    Draft4Validator(
        {"$ref": pointer} | {k: v for k, v in document.items() if k in ("components", "definitions")},
        format_checker=FORMATS,
    ).validate(instance)


def fits(instance: Any, document: dict[str, Any], pointer: str) -> bool:
    """Whether the schema allows the instance."""
    try:
        conforms(instance, document, pointer)
    except ValidationError:
        return False
    return True
