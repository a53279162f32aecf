"""What a file's name and content say: method, path, status, and what is wrong with it."""

import pytest

from stub.answers import Invalid
from stub.folder import entries_of, is_served, parse_name

NAMES = [
    ("orders.json", ("GET", "/orders", None, ".json")),
    ("GET/orders/{id}.json", ("GET", "/orders/{id}", None, ".json")),
    ("POST/orders.201.json", ("POST", "/orders", 201, ".json")),
    ("orders.503.json", ("GET", "/orders", 503, ".json")),
    ("orders.503", ("GET", "/orders", 503, "")),
    ("orders", ("GET", "/orders", None, "")),
    ("index.html", ("GET", "/", None, ".html")),
    ("GET/index.JSON", ("GET", "/", None, ".json")),
    ("v1.2/orders/index.404.json", ("GET", "/v1.2/orders", 404, ".json")),
    ("logo.min.js", ("GET", "/logo.min", None, ".js")),
    ("get/orders.json", ("GET", "/get/orders", None, ".json")),
    ("GET", ("GET", "/GET", None, "")),
    ("a.999.json", ("GET", "/a.999", None, ".json")),
]


@pytest.mark.parametrize(("name", "expected"), NAMES)
def test_a_name_says_method_path_and_status(
    name: str, expected: tuple[str, str, int | None, str]
) -> None:
    parsed = parse_name(name)

    assert (parsed.method, parsed.template, parsed.status, parsed.ending) == expected


def test_the_path_with_the_ending_is_an_alias() -> None:
    page, alias = entries_of("site/index.html", b"<p>")

    assert (page.template, page.alias) == ("/site", False)
    assert (alias.template, alias.alias) == ("/site/index.html", True)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.json", "application/json"),
        ("a.txt", "text/plain; charset=utf-8"),
        ("a.html", "text/html; charset=utf-8"),
        ("a.png", "image/png"),
        ("a", "application/octet-stream"),
    ],
)
def test_the_ending_gives_the_content_type(name: str, kind: str) -> None:
    entry = entries_of(name, b"{}")[0]

    assert entry.answer.headers == (("content-type", kind),)


DESCRIBED = b"""
status: 202
delay: 1.5s
headers: {Location: /orders/7, Retry-After: 3}
body: {born: 2024-01-31, country: no}
"""


def test_a_yaml_file_describes_its_answer() -> None:
    [entry] = entries_of("POST/orders.yaml", DESCRIBED)

    answer = entry.answer
    assert (entry.method, entry.template) == ("POST", "/orders")
    assert (answer.status, answer.delay_s) == (202, 1.5)
    assert answer.headers == (
        ("content-type", "application/json"),
        ("Location", "/orders/7"),
        ("Retry-After", "3"),
    )
    assert answer.body == b'{\n  "born": "2024-01-31",\n  "country": "no"\n}\n'


def test_a_described_text_is_text_and_no_body_is_none() -> None:
    [text] = entries_of("a.yaml", b"body: hello")
    [empty] = entries_of("a.204.yaml", b"delay: 10ms")

    assert text.answer.headers == (("content-type", "text/plain; charset=utf-8"),)
    assert empty.answer.body == b""


BAD = [
    ("a.json", b'{"a": 1,\n  "b" 2}', "line 2, column 7: not JSON: Expecting ':' delimiter"),
    ("a.json", b"", "line 1, column 1: not JSON"),
    ("a.json", b'"\xff"', "not JSON"),
    ("a.yaml", b"status: [", "line 2, column 1: not YAML"),
    ("a.yaml", b"", "None: the keys of a YAML answer are status, headers, delay, body"),
    (
        "a.yaml",
        b"stauts: 200",
        "stauts: the keys of a YAML answer are status, headers, delay, body",
    ),
    ("a.yaml", b"status: 99", "status: 99 is not a status; use a number from 200 to 599"),
    ("a.yaml", b"status: ok", "status: 'ok' is not a status"),
    (
        "a.yaml",
        b"delay: 2 hours",
        "delay: '2 hours' is not a duration up to an hour, such as 500ms, 2s or 1m",
    ),
    ("a.yaml", b"delay: 61m", "delay: '61m' is not a duration"),
    ("a.yaml", b"headers: [a]", "headers: ['a'] is not a mapping"),
    ("a.yaml", b'headers: {"a b": c}', "headers: 'a b': 'c' is not a header"),
    ("a.yaml", b'headers: {"a": "c\\nd: e"}', "headers: 'a': 'c\\nd: e' is not a header"),
    (
        "a.yaml",
        b"headers: {Content-Length: 7}",
        "headers: 'Content-Length' is set by the server",
    ),
    ("a.yaml", b"a: &x [*x]\nb: !!python/object:os.system {}", "not YAML"),
]


@pytest.mark.parametrize(("name", "content", "problem"), BAD)
def test_a_bad_file_is_one_line_with_the_place(name: str, content: bytes, problem: str) -> None:
    with pytest.raises(Invalid) as caught:
        entries_of(name, content)

    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.json", True), (".git/config", False), ("a/.b.json", False), ("a.json~", False)],
)
def test_hidden_files_and_copies_of_editors_are_no_answers(name: str, expected: bool) -> None:
    assert is_served(name) is expected
