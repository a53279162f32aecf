"""Values made from schemas, of OpenAPI 3.0 and 3.1."""

import json

import pytest

from stub.answers import Invalid
from stub.samples import Samples

DOCUMENT = {
    "schemas": {
        "Id": {"type": "integer", "minimum": 7},
        "Tree": {
            "type": "object",
            "properties": {
                "id": {"$ref": "#/schemas/Id"},
                "up": {"$ref": "#/schemas/Tree"},
                "down": {"type": "array", "items": {"$ref": "#/schemas/Tree"}},
            },
        },
        "a/b~c": {"type": "boolean"},
        "Circle": {"$ref": "#/schemas/Circle"},
    }
}
TEXT = {"type": "string"}
TABLE = [
    (TEXT, "string"),
    ({"type": "string", "format": "date-time"}, "2024-01-31T12:00:00Z"),
    ({"type": "string", "minLength": 8}, "stringxx"),
    ({"type": "string", "maxLength": 3}, "str"),
    ({"type": "string", "enum": ["open", "paid"]}, "open"),
    ({"type": "string", "example": "x", "enum": ["y"]}, "x"),
    ({"type": "string", "examples": ["z"]}, "z"),
    ({"type": "string", "default": "d"}, "d"),
    ({"const": 5}, 5),
    ({"type": "integer"}, 0),
    ({"type": "integer", "minimum": 3}, 3),
    ({"type": "integer", "maximum": -3}, -3),
    ({"type": "integer", "minimum": 3, "exclusiveMinimum": True}, 4),
    ({"type": "number", "exclusiveMinimum": 3}, 4),
    ({"type": "integer", "minimum": 7, "multipleOf": 5}, 10),
    ({"type": "boolean"}, True),
    ({"type": "null"}, None),
    ({"type": ["null", "integer"]}, 0),
    ({"type": "array", "items": TEXT}, ["string"]),
    ({"items": TEXT, "minItems": 2}, ["string", "string"]),
    ({"type": "array", "items": TEXT, "maxItems": 0}, []),
    ({"type": "array"}, [{}]),
    (
        {"type": "object", "properties": {"a": TEXT, "b": {"type": "string", "writeOnly": True}}},
        {"a": "string"},
    ),
    ({"properties": {"a": {"type": "null"}}}, {"a": None}),
    (
        {"allOf": [{"properties": {"a": TEXT}}], "properties": {"b": TEXT}},
        {"a": "string", "b": "string"},
    ),
    ({"allOf": [{"$ref": "#/schemas/Id"}], "description": "an id"}, 7),
    ({"oneOf": [{"type": "null"}, TEXT]}, "string"),
    ({"anyOf": [{"$ref": "#/schemas/Id"}, TEXT]}, 7),
    ({"$ref": "#/schemas/Id"}, 7),
    ({"$ref": "#/schemas/a~1b~0c"}, True),
    ({"$ref": "#/schemas/Tree"}, {"id": 7, "down": []}),
    ({}, {}),
    (True, {}),
]


@pytest.mark.parametrize(("schema", "expected"), TABLE)
def test_a_value_fits_its_schema(schema: object, expected: object) -> None:
    assert Samples(DOCUMENT).of(schema) == expected


BAD = [
    ({"$ref": "#/schemas/No"}, "$ref '#/schemas/No' points to nothing: there is no 'No'"),
    ({"$ref": "other.yaml#/x"}, "$ref 'other.yaml#/x' points to another file"),
    ({"$ref": "#/schemas/Circle"}, "is circular"),
    ({"type": "strnig"}, "type 'strnig' is not one of object, array, string"),
    ({"type": "object", "properties": [1]}, "properties: [1] is not a mapping"),
]


@pytest.mark.parametrize(("schema", "problem"), BAD)
def test_a_bad_schema_says_what_would_be_right(schema: object, problem: str) -> None:
    with pytest.raises(Invalid) as caught:
        Samples(DOCUMENT).of(schema)

    assert problem in str(caught.value)


def test_schemas_that_all_name_each_other_end() -> None:
    names = [f"S{number}" for number in range(60)]
    every = {name: {"$ref": f"#/schemas/{name}"} for name in names}
    document = {"schemas": {name: {"type": "object", "properties": every} for name in names}}

    samples = Samples(document)
    value = samples.of(every["S0"])

    assert samples.of(every["S0"]) is value
    assert len(json.dumps(value)) < 50_000
