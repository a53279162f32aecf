"""The repository's documents as data: their pages, tables, links, commands and sentences."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]

_CODE_BLOCK = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_INDENTED = re.compile(r"(?:^|\n)\n((?: {4}.*\n|\n(?= {4}))+)")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_LIST_ITEM = re.compile(r"^\s*(?:[-*]|\d+\.) ")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[:;])\s+(?=[A-Z*(])")


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    path: Path

    def __str__(self) -> str:
        return str(self.path.relative_to(ROOT))

    @cached_property
    def text(self) -> str:
        """All of it."""
        return self.path.read_text()

    @property
    def links(self) -> list[str]:
        """The targets of its links."""
        return _LINK.findall(_CODE_BLOCK.sub("", self.text))

    @property
    def anchors(self) -> set[str]:
        """What a link can name behind `#`: its ids, and headings as Markdown tools do."""
        ids = set(re.findall(r'<a id="([^"]+)"></a>', self.text))
        headings = re.findall(r"^#+ (.+)$", _CODE_BLOCK.sub("", self.text), re.MULTILINE)
        spelt = {re.sub(r"[^\w\- ]", "", it.lower()).replace(" ", "-") for it in headings}
        return ids | spelt

    @property
    def commands(self) -> list[str]:
        """The lines of its code blocks; a continued line is one, prompts and comments are gone."""
        blocks = [*_CODE_BLOCK.findall(self.text), *_INDENTED.findall(self.text)]
        lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
        return [re.sub(r"\s{2,}#.*$", "", line).strip().removeprefix("$ ") for line in lines]

    def table(self, heading: str) -> list[list[str]]:
        """Return the cells of the tables in a section, or below a table's first heading."""
        section = self.text.partition(heading)[2].partition("\n## ")[0]
        rows = [line for line in section.splitlines() if line.startswith("|")]
        cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
        return [row for row in cells if not set(row[0]) <= set("-:")]

    def tables(self) -> list[list[str]]:
        """Return the cells of all its tables."""
        rows = [line for line in self.text.splitlines() if line.startswith("|")]
        return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]

    @property
    def sentences(self) -> list[str]:
        """The sentences of its prose: without code, tables, headings and pictures."""
        found: list[str] = []
        for paragraph in self._paragraphs():
            plain = _LINK.sub("link", re.sub(r"`[^`]*`", "x", paragraph))
            found += [sentence for sentence in _SENTENCE_END.split(plain) if " " in sentence]
        return found

    def _paragraphs(self) -> list[str]:
        paragraphs, current = [], list[str]()
        for line in [*_CODE_BLOCK.sub("", self.text).splitlines(), ""]:
            is_prose = line.strip() and not line.startswith(("    ", "|", "#", "!", "<"))
            if not is_prose or _LIST_ITEM.match(line):
                paragraphs.append(" ".join(current))
                current = []
            if is_prose:
                current.append(_LIST_ITEM.sub("", line).strip())
        return [paragraph for paragraph in paragraphs if paragraph]


def words_in(sentence: str) -> int:
    """Return how many words a sentence has."""
    return len(re.findall(r"[\w'’-]+", sentence))


README = Page(ROOT / "README.md")
DOCS = tuple(Page(path) for path in sorted((ROOT / "docs").glob("*.md")))
DECISIONS = tuple(Page(path) for path in sorted((ROOT / "docs" / "decisions").glob("*.md")))
AT_ROOT = tuple(Page(path) for path in sorted(ROOT.glob("*.md")))
PAGES = (*AT_ROOT, *DOCS, *DECISIONS)


def page(name: str) -> Page:
    """Return a page of docs/."""
    return Page(ROOT / "docs" / name)
