"""The tables say what the code does: each setting, label, block, reason and metric is there."""

import re

from catalog.values.vocabulary import LABELS
from discover.reasons import REASONS as DISCOVER_REASONS
from discover.settings import OPTIONS as DISCOVER
from register.reasons import REASONS as REGISTER_REASONS
from register.settings import OPTIONS as REGISTER
from tests.parts.markdown import ROOT, page

OPTIONS = (*REGISTER, *DISCOVER)
HEADS = {"setting", "block", "metric", "code", "label"}


def names_in(cell: str) -> list[str]:
    return re.findall(r"`([\w./]+)`", cell)


def test_every_setting_is_there_and_no_other() -> None:
    rows = [row for row in page("settings.md").tables() if row[0].startswith("`")]
    named = {name for row in rows for name in names_in(row[0])}

    assert named == {option.name for option in OPTIONS}


def test_every_default_is_the_one_in_use() -> None:
    shown: dict[str, set[str]] = {}
    for row in page("settings.md").tables():
        names = names_in(row[0])
        defaults = row[1].split(", ") if len(names) > 1 else [row[1]]
        for name, default in zip(names, defaults * len(names), strict=False):
            shown.setdefault(name, set()).add(default.strip("`"))

    for option in OPTIONS:
        if option.default is not None and option.name != "TEMPLATE":
            assert any(option.default in default for default in shown[option.name]), option.name


def test_every_label_is_there_and_no_other() -> None:
    firsts = " ".join(row[0] for row in page("labels.md").tables())
    named = set(re.findall(r"`(?:SERVICE_(?:\[<port>_\]|<port>_)?|_)([A-Z_]+)`", firsts))

    assert LABELS.keys() - named == set()
    assert named - LABELS.keys() == {"NAME"}


def test_every_block_of_the_template_is_there_and_no_other() -> None:
    rows = page("templates.md").table("| block |")
    named = {name for row in rows for name in names_in(row[0])}

    template = (ROOT / "templates" / "haproxy.cfg.j2").read_text()
    assert named == set(re.findall(r"{%-? block (\w+)", template))


def test_every_reason_is_explained_with_its_meaning() -> None:
    rows = [row for row in page("reasons.md").tables() if row[0].startswith("`")]
    meanings = {row[0].strip("`"): row[1].replace("`", "") for row in rows}
    explained = {
        code: meaning.removeprefix(f'<a id="{code}"></a>') for code, meaning in meanings.items()
    }

    published = [(code, reason.meaning) for code, reason in REGISTER_REASONS.items()]
    assert explained == dict([*published, *DISCOVER_REASONS.items()])


def test_every_metric_is_there_and_no_other() -> None:
    made = re.compile(r"\.(counter|gauge|histogram)\(\s*\"(\w+)\"")
    found = {
        f"tandem_{name}" + ("_total" if kind == "counter" else ""): kind
        for room in ("register", "discover", "sidecar")
        for path in (ROOT / room).rglob("*.py")
        for kind, name in made.findall(path.read_text())
    }

    rows = [row for row in page("metrics.md").tables() if row[0].startswith("`tandem_")]
    assert {row[0].strip("`"): row[1] for row in rows if len(row) == 3} == found
