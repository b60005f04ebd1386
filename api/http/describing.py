"""Short words for what routes answer, in the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

TEXT: Final = "text/plain"
JSON: Final = "application/json"


def answer(
    description: str, media_type: str = JSON, *, schema: str | None = None, example: Any = None
) -> dict[str, Any]:
    """One answer; `schema` names a schema of the document."""
    content: dict[str, Any] = {"schema": {"type": "string"} if media_type == TEXT else {"type": "object"}}
    if schema is not None:
        content["schema"] = {"$ref": f"#/components/schemas/{schema}"}
    if example is not None:
        content["example"] = example
    return {"description": description, "content": {media_type: content}}


def binary(description: str, media_type: str = "application/octet-stream") -> dict[str, Any]:
    """An answer of bytes."""
    return {"description": description, "content": {media_type: {"schema": {"type": "string", "format": "binary"}}}}


def body(schema: str, example: Any = None, media_type: str = JSON) -> dict[str, Any]:
    """A required request body."""
    content: dict[str, Any] = {"schema": {"$ref": f"#/components/schemas/{schema}"}}
    if example is not None:
        content["example"] = example
    return {"required": True, "content": {media_type: content}}
