"""The source of the documents' site: docs/ with the README and its neighbours, and links that lead out of it made plain.

python -m tests.site FOLDER        (scripts/build-site does the rest)
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
BESIDE = {
    "README.md": "readme.md",
    "SECURITY.md": "security.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
"""Pages outside docs/, and their names in the site."""
LEFT_OUT = {"changelog.d", "site.yml"}
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
FENCED = re.compile(r"(^```.*?^```$)|(?:(?!^```).)+", re.MULTILINE | re.DOTALL)
"""A block of code, or what stands between two."""
TOKEN = re.compile(LINK.pattern + r"|`[^`\n]+`")
"""A link, or code, in which nothing is a link."""


def write_source(folder: Path) -> None:
    """Write everything that the site is built from into `folder`, anew."""
    shutil.rmtree(folder, ignore_errors=True)
    pages = folder / "docs"
    shutil.copytree(DOCS, pages, ignore=lambda _, names: LEFT_OUT & set(names))
    for name, here in BESIDE.items():
        (pages / here).write_text(_led((ROOT / name).read_text(), ROOT, pages / here, pages))
    for page in pages.rglob("*.md"):
        if page.name not in BESIDE.values() or page.parent != pages:
            page.write_text(_led(page.read_text(), (DOCS / page.relative_to(pages)).parent, page, pages))
    (folder / "mkdocs.yml").write_text(yaml.safe_dump(_configuration(pages), allow_unicode=True, sort_keys=False))


def _led(text: str, home: Path, page: Path, pages: Path) -> str:
    """The page with links as they are in the site; what is not in it is named instead of linked."""

    def lead(found: re.Match[str]) -> str:
        picture, words, target = found.groups()
        if target is None:
            return found[0]
        path, mark, anchor = target.partition("#")
        if "://" in target or not path:
            return found[0]
        source = (home / path).resolve()
        if source.parent == ROOT and source.name in BESIDE:
            led = pages / BESIDE[source.name]
        elif source.is_relative_to(DOCS) and source.relative_to(DOCS).parts[:1] != ("changelog.d",):
            led = pages / source.relative_to(DOCS)
        else:
            return words
        if source.is_dir():
            led = led / "README.md" if (source / "README.md").is_file() else led
            if not led.suffix:
                return words
        up = "../" * (len(page.relative_to(pages).parts) - 1)
        return f"{picture}[{words}]({up}{led.relative_to(pages).as_posix()}{mark}{anchor})"

    return FENCED.sub(lambda block: block[0] if block[1] else TOKEN.sub(lead, block[0]), text)


def _configuration(pages: Path) -> dict[str, Any]:
    """docs/site.yml, with a folder in its navigation standing for its pages that are not named."""
    configuration: dict[str, Any] = yaml.safe_load((DOCS / "site.yml").read_text())
    named = {entry for section in configuration["nav"] for entries in section.values() for entry in _listed(entries)}
    for section in configuration["nav"]:
        for title, entries in section.items():
            if isinstance(entries, list):
                section[title] = [path for entry in entries for path in _spread(entry, pages, named)]
    return configuration


def _listed(entries: Any) -> list[str]:
    return entries if isinstance(entries, list) else [entries]


def _spread(entry: str, pages: Path, named: set[str]) -> list[str]:
    if not entry.endswith("/"):
        return [entry]
    found = (path.relative_to(pages).as_posix() for path in sorted((pages / entry).glob("*.md")))
    return [path for path in found if path not in named and "template" not in path]


if __name__ == "__main__":
    write_source(Path(sys.argv[1]))
