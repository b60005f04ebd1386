"""Reads a PDF as a screen reader does: its title, its language, its tags in order, and the text of its pages."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pypdf


@dataclass(frozen=True)
class Paper:
    """`tags`: the structure elements in reading order (`H1`, `Table`, `TH` …); `alternates`: the words for its pictures."""

    title: str
    language: str
    marked: bool
    tags: list[str]
    alternates: list[str]
    pages: list[str]
    conformance: str

    @property
    def text(self) -> str:
        """All pages, lines joined."""
        return " ".join(" ".join(self.pages).split())


def read_pdf(content: bytes) -> Paper:
    """Its structure and text."""
    reader = pypdf.PdfReader(io.BytesIO(content))
    root: Any = reader.trailer["/Root"]
    elements = list(_elements(root["/StructTreeRoot"]["/K"])) if "/StructTreeRoot" in root else []
    metadata = root["/Metadata"].get_object().get_data().decode() if "/Metadata" in root else ""
    return Paper(
        str(reader.metadata.title if reader.metadata else ""),
        str(root.get("/Lang", "")),
        bool(root.get("/MarkInfo", {}).get("/Marked", False)),
        [str(one["/S"])[1:] for one in elements],
        [str(one["/Alt"]) for one in elements if "/Alt" in one],
        [page.extract_text() for page in reader.pages],
        "PDF/UA-1" if "pdfuaid:part>1<" in metadata or 'pdfuaid:part="1"' in metadata else "",
    )


def _elements(node: Any) -> Iterator[Any]:
    node = node.get_object() if hasattr(node, "get_object") else node
    if isinstance(node, list):
        for one in node:
            yield from _elements(one)
    elif isinstance(node, dict) and "/S" in node:
        yield node
        if "/K" in node:
            yield from _elements(node["/K"])
