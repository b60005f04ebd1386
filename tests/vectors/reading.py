"""What the tests of the vectors share: the files as a stranger finds them."""

from __future__ import annotations

import base64
import json
from functools import cache
from pathlib import Path
from typing import Any

from tests.vectors.__main__ import FOLDER
from tests.vectors.cases import apply
from tests.vectors.log import Files

Json = dict[str, Any]


@cache
def read(name: str) -> Json:
    return dict(json.loads((FOLDER / f"{name}.json").read_text()))


@cache
def bundle(name: str) -> Files:
    root = FOLDER / "bundles" / name
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@cache
def bundle_of_a_set(name: str) -> Files:
    return {path: base64.b64decode(content) for path, content in read("sets")["bundles"][name].items()}


def cases() -> list[Path]:
    return sorted((FOLDER / "cases").glob("*.json"))


def materialised(case: Json) -> Files:
    return apply(bundle(case["base"]), case["edit"])


def policy(name: str | None) -> bytes:
    return (FOLDER / "policies" / (name or "policy")).read_bytes()


def named(rows: list[Json]) -> list[str]:
    return [row["name"] for row in rows]
