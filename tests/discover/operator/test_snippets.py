"""Snippets: which service they are for, what they may not say, and what stays the same object."""

from dataclasses import replace
from pathlib import Path

import pytest

from discover.model.proxy_config import Verbatim, door_listener_name
from discover.operator.snippets import Inserted, SnippetFolder, Snippets, snippet_of
from discover.settings import TEMPLATE
from discover.text.render import Layout
from tests.parts.configs import config_of
from tests.parts.records import instance, snapshot

CONFIG = config_of(
    snapshot(
        instance(1, "web", service_port=80), instance(2, "web", service_port=81), instance(3, "db")
    )
)


def snippets(folder: Path, **texts: str) -> Snippets:
    for name, text in texts.items():
        (folder / f"{name.replace('__', ':')}.cfg").write_text(text)
    return SnippetFolder(folder).read()


def test_a_file_is_for_all_ports_of_a_service_or_for_one(tmp_path: Path) -> None:
    found = snippets(
        tmp_path, web="# why\n\n  option a 'x # y'\n", web__81="option b\n", other="option c"
    )
    (tmp_path / "db.txt").write_text("option d")

    config, refused = Inserted().into(CONFIG, found)

    lines = {listener.name: listener.snippet for listener in config.listeners}
    assert lines == {
        "db:8000": (),
        "web:80": ("option a 'x # y'",),
        "web:81": ("option a 'x # y'", "option b"),
    }
    assert [line.origin for line in lines["web:81"]] == [
        "snippet web.cfg line 3",
        "snippet web:81.cfg line 1",
    ]
    assert refused == {}


def test_its_lines_are_printed_as_they_stand_before_the_servers(tmp_path: Path) -> None:
    config, _ = Inserted().into(
        CONFIG, snippets(tmp_path, db="tcp-request content reject if { src 'x' \"#\" }\n")
    )
    layout = Layout(TEMPLATE.read_text(), "t")
    layout._by_listener = False  # to find that out costs most of a second

    text = layout.render(config).text

    before, _, after = text.partition("    tcp-request content reject if { src 'x' \"#\" }\n")
    assert before.rindex("listen ") == before.index("listen db:8000")
    assert after.lstrip().startswith("server 000000000003:8000 ")


def test_a_service_that_only_the_door_leads_to_has_its_own_too(tmp_path: Path) -> None:
    behind = replace(CONFIG.listeners[0], name=door_listener_name("db", 8000), binds=())

    config, _ = Inserted().into(
        replace(CONFIG, listeners=(behind,)), snippets(tmp_path, db__8000="option a")
    )

    assert config.listeners[0].snippet == ("option a",)


def test_without_snippets_nothing_changes(tmp_path: Path) -> None:
    config, refused = Inserted().into(CONFIG, SnippetFolder(tmp_path / "nowhere").read())

    assert config is CONFIG
    assert refused == {}


def test_the_same_snippet_makes_the_same_object_and_none_takes_it_away(tmp_path: Path) -> None:
    inserted, folder = Inserted(), SnippetFolder(tmp_path)
    (tmp_path / "db.cfg").write_text("option a\n")
    first, _ = inserted.into(CONFIG, folder.read())
    second, _ = inserted.into(CONFIG, folder.read())
    (tmp_path / "db.cfg").unlink()
    idle = replace(CONFIG, listeners=(replace(first.listeners[0], servers=()),))

    assert second.listeners[0] is first.listeners[0]
    assert inserted.into(idle, folder.read())[0].listeners[0].snippet == ()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("option a\nlisten other\n", "snippet f.cfg line 2: 'listen' would begin a new section"),
        ("  peers x\n", "snippet f.cfg line 1: 'peers' would begin"),
        ("no listen x", "snippet f.cfg line 1: 'listen' would begin"),
        ("bind *:22", "snippet f.cfg line 1: 'bind': addresses and servers"),
        (
            "disabled",
            "snippet f.cfg line 1: 'disabled': it would leave the service's port to other programs",
        ),
        ("server a 10.0.0.1:80", "snippet f.cfg line 1: 'server': addresses and servers"),
        ("'listen' x", "snippet f.cfg line 1: \"'listen'\": the first word must be"),
        ("lis\\ten x", "snippet f.cfg line 1: 'lis\\\\ten': the first word must be"),
        ('"$X" x', "snippet f.cfg line 1: "),
        (".if TRUE", "snippet f.cfg line 1: '.if': the first word"),
        ("option a\\", "snippet f.cfg line 1: a line cannot continue"),
        ("option a\x00", "snippet f.cfg line 1: it has an unprintable character"),
        ("# listen x\n\nno option a\nlog global\ndefault_backend x\n", ""),
    ],
)
def test_what_is_more_than_a_line_of_its_service_is_refused(text: str, why: str) -> None:
    refused = snippet_of("f.cfg", text).refused

    assert refused.startswith(why)
    assert bool(refused) == bool(why)


def test_one_that_cannot_be_read_is_refused_alone(tmp_path: Path) -> None:
    (tmp_path / "db.cfg").write_bytes(b"caf\xe9")

    config, refused = Inserted().into(CONFIG, snippets(tmp_path, web__80="option a"))

    assert list(refused) == ["db:8000"]
    assert "cannot read" in refused["db:8000"]
    assert config.listeners[1].snippet == (Verbatim("option a"),)
