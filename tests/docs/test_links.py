"""Every link in the documents leads somewhere, also behind its `#`."""

import re
from pathlib import Path

import pytest

from tests.parts.markdown import PAGES, ROOT, Page


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_link_leads_to_a_file_and_a_heading(page: Page) -> None:
    lost = []
    for link in page.links:
        if link.startswith(("http://", "https://")):
            continue
        name, _, anchor = link.partition("#")
        target = (page.path.parent / name) if name else page.path
        if not target.exists() or (anchor and anchor not in Page(target).anchors):
            lost.append(link)

    assert lost == []


BUILT = {"images/wheels/"}
ROOMS = "bench|catalog|ctl|discover|docs|images|lab|register|sidecar|stub|templates|tests"


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_path_that_is_named_exists(page: Page) -> None:
    named = re.findall(rf"`((?:{ROOMS})/[\w./-]*)(?:::\w+)?`", page.text)

    missing = [path for path in named if not (ROOT / path).exists()]
    assert [path for path in missing if path not in BUILT] == []


def pages_behind(page: Page) -> set[Path]:
    files = {link.partition("#")[0] for link in page.links if "://" not in link}
    return {(page.path.parent / file).resolve() for file in files if file.endswith(".md")}


def test_readme_leads_to_every_page_within_two_clicks() -> None:
    near = {ROOT / "README.md"}
    for _click in range(2):
        for path in tuple(near):
            near |= pages_behind(Page(path))

    front_page_of_the_site = ROOT / "docs" / "index.md"
    assert {page.path for page in PAGES} - {front_page_of_the_site} <= near


def test_the_index_of_decisions_lists_every_page_of_them() -> None:
    index = ROOT / "docs" / "decisions" / "index.md"
    pages = set(index.parent.glob("*.md")) - {index}

    assert pages <= pages_behind(Page(index))
