"""The documents say what the code does: every setting, label and reason is in its table, and no
other.
"""

import re
from pathlib import Path

from catalog.vocabulary import LABELS
from discover.reasons import REASONS as DISCOVER_REASONS
from discover.settings import OPTIONS as DISCOVER
from register.reasons import REASONS as REGISTER_REASONS
from register.settings import OPTIONS as REGISTER

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def rows(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if line.startswith("|"))


def test_every_setting_is_in_the_readme_and_no_other() -> None:
    table = rows(README.partition("## Settings")[2])
    named = set(
        re.findall(r"`([A-Z_]{3,})`", "\n".join(line.split("|")[1] for line in table.splitlines()))
    )

    assert named == {option.name for option in (*REGISTER, *DISCOVER)}


def test_every_label_is_in_the_readme() -> None:
    table = rows(README.partition("## Labels")[2].partition("## ")[0])

    assert [name for name in LABELS if name not in table] == []


def test_every_default_is_the_one_in_the_readme() -> None:
    table: dict[str, set[str]] = {}
    for line in rows(README.partition("## Settings")[2]).splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        for name, default in zip(
            re.findall(r"`(\w+)`", cells[1]), cells[2].split(", ") * 9, strict=False
        ):
            table.setdefault(name, set()).add(default.strip("`"))

    for option in (*REGISTER, *DISCOVER):
        if option.default is not None and option.name != "TEMPLATE":
            assert any(option.default in default for default in table[option.name]), option.name


def test_every_block_of_the_template_is_in_the_readme_and_no_other() -> None:
    table = README.partition("| block |")[2].partition("\n\n")[0]
    named = re.findall(
        r"`([a-z_]+)`", "\n".join(line.split("|")[1] for line in rows(table).splitlines())
    )

    assert set(named) == set(
        re.findall(r"{%-? block (\w+)", (ROOT / "templates" / "haproxy.cfg.j2").read_text())
    )


def test_every_reason_is_explained_with_its_meaning() -> None:
    text = (ROOT / "docs" / "reasons.md").read_text()
    told: dict[str, str] = dict(re.findall(r"^\| `([A-Z_]+)` \| ([^|]+?) \|", text, re.MULTILINE))

    meanings = {code: reason.meaning for code, reason in REGISTER_REASONS.items()}
    explained = {code: text.replace("`", "") for code, text in told.items()}
    assert explained == meanings | dict(DISCOVER_REASONS)


def test_every_link_leads_somewhere() -> None:
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
