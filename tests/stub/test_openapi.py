"""What an OpenAPI document answers, and what is wrong with the rest of it."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stub.answers import Entry
from stub.documents import parse_yaml
from stub.openapi import entries_of, is_openapi

PETS = b"""
openapi: 3.1.0
servers: [{url: 'https://api.example.com/{base}/', variables: {base: {default: v1}}}]
paths:
  /pets/{pet-id}:
    parameters: []
    get:
      responses:
        200:
          headers: {X-Rate: {schema: {type: integer, example: 9}}, Content-Type: {}}
          content:
            text/plain: {example: no}
            application/json:
              schema: {$ref: '#/components/schemas/Pet'}
              examples:
                rex: {value: {name: Rex}}
                none: {$ref: '#/components/examples/Nobody'}
        404: {description: no such pet}
        5XX: {content: {application/problem+json: {example: broken}}}
        default: {$ref: '#/components/responses/Made'}
components:
  responses: {Made: {content: {'*/*': {schema: {$ref: '#/components/schemas/Pet'}}}}}
  examples: {Nobody: {value: null}}
  schemas:
    Pet:
      type: object
      properties: {name: {type: string}, born: {type: string, format: date}}
"""


def read(text: bytes, problems: Sequence[str] = ()) -> list[Entry]:
    """Return the entries of a document that has just these problems."""
    document = parse_yaml(text)
    assert isinstance(document, Mapping)
    entries, seen = entries_of(document, "api.yaml")

    assert seen == list(problems)
    return entries


def test_a_document_answers_by_its_examples() -> None:
    answers = [entry.answer for entry in read(PETS) if not entry.alias]

    assert [(answer.statuses, answer.example, answer.body) for answer in answers] == [
        (range(200, 201), "rex", b'{\n  "name": "Rex"\n}\n'),
        (range(200, 201), "none", b"null\n"),
        (range(404, 405), "", b""),
        (range(500, 600), "", b'"broken"\n'),
        (range(200, 600), "", b'{\n  "name": "string",\n  "born": "2024-01-31"\n}\n'),
    ]
    assert answers[0].headers == (("content-type", "application/json"), ("X-Rate", "9"))
    assert [dict(answer.headers).get("content-type") for answer in answers[2:]] == [
        None,
        "application/problem+json",
        "application/json",
    ]
    assert {answer.source for answer in answers} == {"api.yaml"}


def test_paths_are_under_the_servers_path_and_without_it() -> None:
    places = {(entry.method, entry.template, entry.alias) for entry in read(PETS)}

    assert places == {("GET", "/v1/pets/{pet-id}", False), ("GET", "/pets/{pet-id}", True)}


def operation(responses: bytes) -> bytes:
    return (
        b"openapi: 3.0.0\n"
        b"paths:\n"
        b"  /a:\n"
        b"    get: {responses: {200: {description: good}}}\n"
        b"    post: {responses: %b}\n"
    ) % responses


BAD = [
    (b"swagger: '2.0'\npaths: {}", ["api.yaml: swagger: '2.0' is not supported; 3.0 and 3.1 are"]),
    (b"openapi: 4.0.0", ["api.yaml: openapi: '4.0.0' is not supported; 3.0 and 3.1 are"]),
    (b"openapi: 3.0.0", ["api.yaml: paths: None is not a mapping of paths"]),
    (b"openapi: 3.0.0\npaths: {/a: 7}", ["api.yaml: paths./a: 7 is not a mapping"]),
    (operation(b"[]"), ["api.yaml: paths./a.post.responses: [] is not a mapping"]),
    (
        operation(b"{2000: {}}"),
        [
            "api.yaml: paths./a.post.responses.2000: is not a status; "
            "use 200 to 599, 2XX to 5XX or default"
        ],
    ),
    (
        operation(b"{200: {$ref: '#/no'}}"),
        ["api.yaml: paths./a.post.responses.200: $ref '#/no' points to nothing: there is no 'no'"],
    ),
    (
        operation(b"{200: {content: {text/html: {schema: {type: strnig}}}}}"),
        [
            "api.yaml: paths./a.post.responses.200: type 'strnig' is not one of object, array, "
            "string, integer, number, boolean, null"
        ],
    ),
    (
        operation(b"{200: {content: 7}}"),
        ["api.yaml: paths./a.post.responses.200: 7 is not a mapping"],
    ),
]


@pytest.mark.parametrize(("text", "problems"), BAD)
def test_what_is_bad_is_named_and_the_rest_is_served(text: bytes, problems: list[str]) -> None:
    methods = [entry.method for entry in read(text, problems)]

    assert methods == (["GET"] if b"post" in text else [])


WORDS = [
    "$ref",
    "type",
    "properties",
    "items",
    "allOf",
    "oneOf",
    "enum",
    "example",
    "required",
    "minimum",
    "multipleOf",
    "minLength",
    "content",
    "application/json",
    "schema",
    "headers",
    "X-A",
    "examples",
    "value",
]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["#/a", "object"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(WORDS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["200", "default", "x"]), VALUES, max_size=2), VALUES)
def test_whatever_a_document_holds_the_rest_of_it_is_served(
    responses: dict[str, object], anything: object
) -> None:
    document = {
        "openapi": "3.1.0",
        "a": anything,
        "paths": {
            "/good": {"get": {"responses": {200: {}}}},
            "/odd": {"get": {"responses": responses}},
            "x": anything,
        },
    }

    entries, problems = entries_of(document, "api.yaml")

    assert "/good" in {entry.template for entry in entries}
    assert all(line.startswith("api.yaml: paths.") for line in problems)


@pytest.mark.parametrize(
    ("document", "expected"), [({"openapi": "3"}, True), ({"swagger": 2}, True), ([], False)]
)
def test_a_document_says_that_it_is_one(document: object, expected: bool) -> None:
    assert is_openapi(document) is expected
