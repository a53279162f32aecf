"""The vocabulary: every setting has both spellings, a field and a row in docs/labels.md."""

import re
from dataclasses import fields

import pytest

from catalog.records.record import DEFAULTS, Check, Instance
from catalog.values.vocabulary import LABELS, SETTINGS, Setting, record_fields
from tests.parts.markdown import page

LABELS_PAGE = page("labels.md").text
FILE_PAGE = page("services-file.md").text

# What one of the two spellings has no place for.
LABELS_ONLY = {"IGNORE", "NETWORK", "ADDRESS", "ON_ABSENCE"}
WORDS_ONLY = {"zone", "state"}
# Fields that no setting of their own fills.
NO_SETTING = {
    "service",
    "address",
    "port",
    "container",
    "container_port",
    "container_name",
    "image",
    "attributes",
    "leaving",  # says why it drains
    "port_reserved",  # says why it names no service port
    "started_ms",  # says when its container was started
    "origin",  # says where a default name comes from
    "check",  # settings fill its fields
    "hash_header",  # a form of balance fills it
}

each_setting = pytest.mark.parametrize(
    "setting", SETTINGS, ids=lambda setting: setting.label or setting.word
)


@each_setting
def test_a_setting_has_both_spellings(setting: Setting) -> None:
    if setting.label in LABELS_ONLY:
        assert setting.word == ""
    elif setting.word in WORDS_ONLY:
        assert setting.label == ""
    else:
        # CHECK_HTTP is the word http inside check:
        word = setting.label.lower().replace("check_", "check.")
        assert setting.word == word


@each_setting
def test_a_setting_fills_a_field_of_the_record(setting: Setting) -> None:
    names = {f"check.{f.name}" for f in fields(Check)} | DEFAULTS.keys()

    assert setting.field in names or setting.scope == "offer"
    assert setting.http_only in {"", *DEFAULTS}
    assert not setting.checks or setting.field.startswith("check.")


@each_setting
def test_a_setting_has_a_row_in_its_page(setting: Setting) -> None:
    if not setting.label:
        assert f"`{setting.word}" in FILE_PAGE
        return

    first_cells = [row.split("|")[1] for row in re.findall(r"^\|.*", LABELS_PAGE, re.MULTILINE)]
    # A row may have two labels, the second of which lacks the beginning: `_CHECK_HOST`
    name = re.compile(rf"[_\]]{setting.label}`")
    assert any(name.search(cell) for cell in first_cells)


def test_what_a_wrong_value_costs_is_in_the_page() -> None:
    refusing = {s.label for s in SETTINGS if s.wrong_costs in ("port", "port if meant")}
    if_meant = {s.label for s in SETTINGS if s.wrong_costs == "port if meant"}
    _, _, text = LABELS_PAGE.partition("### A wrong value")
    refuses, _, rest = text.partition("\n- What only")
    of_variables = rest.partition("So a wrong")[2].partition(" in one ")[0]

    assert {"NAME", *refusing} == set(re.findall(r"`([A-Z_]+)`", refuses)) - {
        "BAD_LABEL",
        "BAD_NAME",
    }
    assert if_meant == set(re.findall(r"`([A-Z]+)`", of_variables))


def test_every_field_that_people_set_has_a_row() -> None:
    of_settings = {setting.field for setting in SETTINGS if setting.scope != "offer"}

    assert {f.name for f in fields(Instance)} - NO_SETTING <= of_settings
    assert {f"check.{f.name}" for f in fields(Check)} <= of_settings


def test_no_spelling_and_no_field_stands_twice() -> None:
    words = [setting.word for setting in SETTINGS if setting.word]
    named = [setting for setting in SETTINGS if setting.label]
    filled = [setting.field for setting in SETTINGS]

    assert len(words) == len(set(words))
    assert len(named) == len(LABELS)
    assert len(filled) == len(set(filled))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, {}),
        ({"weight": 5}, {"weight": 5}),
        ({"hosts": ("a",)}, {"hosts": ("a",), "mode": "http"}),
        ({"paths": ("/a",), "mode": "tcp"}, {"paths": ("/a",), "mode": "tcp"}),
        ({"balance": "random"}, {"balance": "random"}),
        ({"balance": "hash:X-User"}, {"hash_header": "X-User"}),
        ({"check.path": "/up"}, {"check": Check("http", "/up")}),
        ({"check.kind": True}, {"check": Check("tcp")}),
        ({"check.kind": False}, {"check": Check("none")}),
        ({"check.kind": False, "check.path": "/up"}, {"check": Check("http", "/up")}),
        ({"check.kind": False, "check.grpc": True}, {"check": Check("tcp", grpc=True)}),
        ({"check.interval_ms": 500}, {"check": Check("tcp", interval_ms=500)}),
    ],
)
def test_settings_become_fields_of_the_record(
    values: dict[str, object], expected: dict[str, object]
) -> None:
    assert record_fields(values) == expected
