"""A template of your own: blocks of the shipped one, files beside it, errors with file and line."""

from pathlib import Path

import pytest

from catalog.errors import Rejected
from discover.operator.templates import Templates, beside, layout_of
from discover.settings import TEMPLATE
from discover.text.render import Layout
from sidecar.atomic_files import read
from tests.parts.configs import config_of
from tests.parts.records import instance, snapshot

CONFIG = config_of(snapshot(instance(1, mode="http"), instance(2, service="db", service_port=5432)))
EXTENDS = '{% extends "haproxy.cfg.j2" %}\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (own := tmp_path / "own").mkdir()
    (tmp_path / "secret").write_text("secret")
    (own / "sub").mkdir()
    return own


def laid_out(folder: Path, template: str, **others: str) -> str:
    for name, text in others.items():
        (folder / f"{name}.j2").write_text(text)
    (folder / "haproxy.cfg.j2").write_text(template)
    layout = layout_of(folder / "haproxy.cfg.j2", TEMPLATE)
    layout._by_listener = False  # to find that out costs most of a second
    return layout.render(CONFIG).text


def section(text: str, head: str) -> list[str]:
    lines = text.splitlines()
    rest = lines[lines.index(head) + 1 :]
    end = next((n for n, line in enumerate(rest) if line and not line.startswith(" ")), len(rest))
    return [line.strip() for line in rest[:end] if line.strip()]


def test_a_template_that_only_extends_is_the_shipped_one(folder: Path) -> None:
    assert laid_out(folder, EXTENDS) == Layout(TEMPLATE.read_text(), "shipped").render(CONFIG).text


@pytest.mark.parametrize(
    ("block", "body", "where"),
    [
        ("global", "    tune.bufsize 32768", "global"),
        ("defaults", "    timeout connect 2s", "defaults"),
        ("stats", "    stats hide-version", "frontend stats"),
        ("listener_frontend", "    maxconn 100", "listen db:5432"),
        ("listener_backend", "    timeout connect 3s", "listen db:5432"),
        ("listener_extra", "    timeout connect 3s", "listen whoami:8000"),
    ],
)
@pytest.mark.parametrize("form", ["{{ super() }}%s", "{{ super() }}\n%s\n"])
def test_a_block_gets_lines_of_its_own(
    folder: Path, block: str, body: str, where: str, form: str
) -> None:
    plain = section(laid_out(folder, EXTENDS), where)

    text = laid_out(
        folder, EXTENDS + "{% block " + block + " %}" + form % body + "{% endblock %}\n"
    )

    assert sorted(section(text, where)) == sorted([*plain, body.strip()])


def test_a_block_sees_its_listener_and_values_stay_checked(folder: Path) -> None:
    choose = (
        EXTENDS
        + "{% block listener_extra %}{% if listener.service == 'db' %}"
        + "    # {{ VALUE }}\n{% endif %}"
    )

    text = laid_out(folder, choose.replace("VALUE", "listener.name") + "{% endblock %}")

    assert text.count("# db:5432") == 1
    with pytest.raises(Rejected, match="has a character that is not allowed in values"):
        laid_out(folder, choose.replace("VALUE", "'two words'") + "{% endblock %}")
    with pytest.raises(Rejected, match="has a character that is not allowed in values"):
        laid_out(
            folder,
            choose.replace("VALUE", "super() ~ 'x'").replace("extra", "backend") + "{% endblock %}",
        )


def test_sections_and_server_options_can_be_added(folder: Path) -> None:
    text = laid_out(
        folder,
        EXTENDS
        + "{% block sections %}\nuserlist people\n    user a insecure-password b\n{% endblock %}\n"
        "{% block server_options %} send-proxy-v2{% endblock %}\n",
    )

    assert section(text, "userlist people") == ["user a insecure-password b"]
    assert section(text, "listen db:5432")[-1].endswith(" send-proxy-v2")


def test_with_blocks_it_is_still_laid_out_by_parts(folder: Path) -> None:
    (folder / "t.j2").write_text(
        EXTENDS + "{% block listener_extra %}    timeout connect 3s{% endblock %}"
    )
    layout = layout_of(folder / "t.j2", TEMPLATE)

    layout.render(CONFIG)

    assert layout._by_listener


def test_files_beside_it_are_included_and_macros_are_imported(folder: Path) -> None:
    text = laid_out(
        folder,
        EXTENDS
        + "{% import 'macros.j2' as m %}"
        + "{% block defaults %}{{ super() }}{% include 'more.j2' %}{{ m.x(7) }}"
        + "{% include 'none.j2' ignore missing %}{% endblock %}",
        more="    timeout connect 2s\n",
        macros="{% macro x(s) %}    timeout tunnel {{ s }}h\n{% endmacro %}",
    )

    assert section(text, "defaults")[-2:] == ["timeout connect 2s", "timeout tunnel 7h"]


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (
            "{% block defaults %}\n{{ nope }}{% endblock %}",
            "template haproxy.cfg.j2 line 3: 'nope' is undefined",
        ),
        (
            "{% block defaults %}{% include 'bad.j2' %}{% endblock %}",
            "template bad.j2 line 2: 'nope' is undefined",
        ),
        (
            "{% block defaults %}\n{% include 'worse.j2' %}{% endblock %}",
            "template worse.j2 line 3: Encountered unknown",
        ),
        (
            "{% block defaults %}\n{% include 'no.j2' %}{% endblock %}",
            "template haproxy.cfg.j2 line 3: there is no 'no",
        ),
        (
            "{% block defaults %}{% include '../secret' %}{% endblock %}",
            "template haproxy.cfg.j2 line 2: '../secret' is",
        ),
        (
            "{% block defaults %}{% include 'sub/x' %}{% endblock %}",
            "template haproxy.cfg.j2 line 2: 'sub/x' is no",
        ),
        (
            "{% block defaults %}{% include 'link' %}{% endblock %}",
            "template haproxy.cfg.j2 line 2: 'link' points outside",
        ),
        (
            "{% block defaults %}{% include 'sub' %}{% endblock %}",
            "template haproxy.cfg.j2 line 2: there is no 'sub'",
        ),
        ("{% set listeners = [1] %}", "template haproxy.cfg.j2 (shipped) line "),
    ],
)
def test_an_error_names_its_file_and_line(folder: Path, template: str, message: str) -> None:
    (folder / "link").symlink_to("../secret")

    with pytest.raises(Rejected) as refused:
        laid_out(folder, EXTENDS + template, bad="\n{{ nope }}\n", worse="\n\n{% nonsense %}\n")

    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


def test_a_config_map_of_links_is_one_folder(tmp_path: Path) -> None:
    (tmp_path / "..v1").mkdir()
    (tmp_path / "..data").symlink_to("..v1")
    for name, text in (("t.j2", EXTENDS + "{% include 'p.j2' %}"), ("p.j2", "")):
        (tmp_path / "..v1" / name).write_text(text)
        (tmp_path / name).symlink_to(f"..data/{name}")

    assert beside(tmp_path / "t.j2", TEMPLATE)("p.j2") == ""


def test_an_edit_of_any_file_makes_another_template(folder: Path) -> None:
    templates = Templates(folder / "t.j2", folder / "good.json", TEMPLATE)
    (folder / "t.j2").write_text(
        EXTENDS + "{% block defaults %}{{ super() }}{% include 'p.j2' %}{% endblock %}"
    )
    (folder / "p.j2").write_text("    timeout connect 2s\n")
    first, _ = templates.candidates()
    assert isinstance(first, Layout)
    assert isinstance(first, Layout)
    first.render(CONFIG)
    templates.accept(first)

    assert list(templates.candidates()) == [first, first]
    (folder / "p.j2").write_text("{{ nope }}")
    second, fallback = templates.candidates()
    assert isinstance(second, Layout)
    assert second is not first
    assert fallback is first
    templates.refuse(second, why := Rejected("no"))
    assert list(templates.candidates()) == [why, first]
    (folder / "p.j2").write_text("    timeout connect 2s\n")
    assert list(templates.candidates()) == [first, first]


def test_a_template_that_nobody_touched_for_a_while_is_not_read_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("discover.operator.templates.SETTLED_S", 3600)
    templates = Templates(folder / "t.j2", folder / "good.json", TEMPLATE)
    (folder / "t.j2").write_text(TEMPLATE.read_text())
    first, _ = templates.candidates()
    assert isinstance(first, Layout)
    assert isinstance(first, Layout)
    first.render(CONFIG)
    templates.accept(first)
    reads: list[Path] = []

    def counted(path: Path) -> str | None:
        reads.append(path)
        return read(path)

    monkeypatch.setattr("discover.operator.templates.read", counted)

    assert list(templates.candidates()) == list(templates.candidates()) == [first, first]
    assert len(reads) == 2, "it is too young: a second edit might leave the same time of change"
    monkeypatch.setattr("discover.operator.templates.SETTLED_S", -1)
    assert [next(templates.candidates()) for _ in range(3)] == [first] * 3
    assert len(reads) == 3
    (folder / "t.j2").write_text(
        TEMPLATE.read_text().replace("timeout connect 1s", "timeout connect 2s")
    )
    assert next(templates.candidates()) is not first
    (folder / "t.j2").unlink()
    assert isinstance(next(templates.candidates()), Rejected)


def test_a_later_life_has_all_files_of_the_last_good_template(folder: Path) -> None:
    templates = Templates(folder / "t.j2", folder / "good.json", TEMPLATE)
    (folder / "t.j2").write_text(
        EXTENDS + "{% block defaults %}{{ super() }}{% include 'p.j2' %}{% endblock %}"
    )
    (folder / "p.j2").write_text("    timeout connect 2s\n")
    first, _ = templates.candidates()
    assert isinstance(first, Layout)
    assert isinstance(first, Layout)
    text = first.render(CONFIG).text
    templates.accept(first)
    (folder / "p.j2").write_text("{{ nope }}")

    edited, good = Templates(folder / "t.j2", folder / "good.json", TEMPLATE).candidates()
    assert isinstance(edited, Layout)
    assert isinstance(good, Layout)

    assert isinstance(edited, Layout)
    assert isinstance(good, Layout)
    with pytest.raises(Rejected, match=r"p\.j2 line 1"):
        edited.render(CONFIG)
    assert good.render(CONFIG).text == text


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", '{"name": 1, "text": 2, "others": 3}', "global\n"]
)
def test_a_copy_that_is_none_is_no_template(folder: Path, text: str) -> None:
    (folder / "good.json").write_text(text)

    _, good = Templates(folder / "t.j2", folder / "good.json", TEMPLATE).candidates()

    assert isinstance(good, Rejected)


def test_a_block_that_the_shipped_template_does_not_have_is_refused(folder: Path) -> None:
    with pytest.raises(Rejected) as refused:
        laid_out(folder, EXTENDS + "{% block defalts %}x{% endblock %}")

    assert str(refused.value).startswith(
        "template haproxy.cfg.j2 line 2: no block 'defalts' in haproxy.cfg.j2; "
        "its blocks are calls, defaults, door, global, "
    )


def test_a_file_beside_it_may_not_misspell_a_block_either(folder: Path) -> None:
    with pytest.raises(Rejected, match=r"^template base\.j2 line 2: no block 'defalts'"):
        laid_out(
            folder, '{% extends "base.j2" %}', base=EXTENDS + "{% block defalts %}x{% endblock %}"
        )


def test_a_block_in_a_block_or_called_by_name_is_ones_own(folder: Path) -> None:
    inner = (
        "{% block defaults %}{{ super() }}"
        "{% block mine %}    maxconn 7{% endblock %}{{ self.other() }}{% endblock %}"
    )

    text = laid_out(folder, EXTENDS + inner + "{% block other %}    retries 2{% endblock %}")

    assert section(text, "defaults")[-2:] == ["maxconn 7", "retries 2"]
