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


def answer_of(document: dict[str, Any], method: str, path: str, status: int) -> dict[str, Any] | None:
    """The schema of an answer with JSON, whatever the document calls it; None where it has no such operation or answer."""
    answer = document["paths"].get(path, {}).get(method, {}).get("responses", {}).get(str(status))
    if answer is not None and "$ref" in answer:
        answer = document["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    told = (content["schema"] for kind, content in (answer or {}).get("content", {}).items() if "json" in kind)
    return next(told, None)


def conforms(instance: Any, document: dict[str, Any], pointer: str | dict[str, Any]) -> None:
    """Raise ValidationError unless `instance` is what a schema of the document, or the one at a pointer (such as
    `#/definitions/Consent`), allows. This machine's address stands for the ledger's public one: some schemas take no other."""
    instance = json.loads(re.sub(r"http://127\.0\.0\.1:[0-9]+", "https://ledger.test", json.dumps(instance)))
    schema = {"$ref": pointer} if isinstance(pointer, str) else pointer
    around = {name: value for name, value in document.items() if name in ("components", "definitions")}
    Draft4Validator(schema | around, format_checker=FORMATS).validate(instance)


def fits(instance: Any, document: dict[str, Any], pointer: str) -> bool:
    """Whether the schema allows the instance."""
    try:
        conforms(instance, document, pointer)
    except ValidationError:
        return False
    return True
