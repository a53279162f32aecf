"""Make a value that fits a JSON schema of OpenAPI 3.0 or 3.1. No I/O."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stub.answers import Invalid

MOST_REFS = 20  # references in a chain
DEEPEST = 12  # levels of a value
# Schemas that refer to each other would make a value as large as the whole document. So only
# required properties are shown below FULL_DEPTH, and once a value has MOST_OBJECTS.
FULL_DEPTH = 3
MOST_OBJECTS = 50
MOST_ITEMS = 20
LONGEST_PADDING = 10_000
# Stand-ins for formats: RFC 3339 dates, RFC 2606 names, RFC 5737 and 3849 addresses.
FORMATS = {
    "date-time": "2024-01-31T12:00:00Z",
    "date": "2024-01-31",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "uuid": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
    "email": "user@example.com",
    "hostname": "example.com",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "byte": "c3R1Yg==",
}
_NONE = object()  # there is no value; None is one

Document = Mapping[str, Any]
Schema = Mapping[str, Any]
References = tuple[str, ...]


def resolve(document: Document, value: Any) -> Any:
    """Follow a $ref inside the document, also one that leads to another; raises Invalid."""
    resolved, _ = _followed(document, value)
    return resolved


def _followed(document: Document, value: Any) -> tuple[Any, References]:
    """Return what a $ref leads to, and the references that were followed."""
    followed: References = ()
    while isinstance(value, Mapping) and isinstance(value.get("$ref"), str):
        reference = value["$ref"]
        if len(followed) == MOST_REFS:
            raise Invalid(f"$ref {reference!r} is circular")

        followed += (reference,)
        value = _at(document, reference)
    return value, followed


def _at(document: Document, reference: str) -> Any:
    if not reference.startswith("#/"):
        right = "only #/… in the same file is supported"
        raise Invalid(f"$ref {reference!r} points to another file; {right}")

    found: Any = document
    for word in reference[2:].split("/"):
        key = word.replace("~1", "/").replace("~0", "~")  # RFC 6901 section 4
        if not isinstance(found, Mapping) or key not in found:
            raise Invalid(f"$ref {reference!r} points to nothing: there is no {word!r}")

        found = found[key]
    return found


class Samples:
    """Values for the schemas of one document. A named schema's value is made once."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._by_reference: dict[str, Any] = {}

    def resolve(self, value: Any) -> Any:
        """Follow a $ref; raises Invalid."""
        return resolve(self.document, value)

    def of(self, schema: Any) -> Any:
        """Return a value that fits; raises Invalid.

        Leaves out what contains itself and what lies too deep.
        """
        reference = schema.get("$ref") if isinstance(schema, Mapping) else None
        if not isinstance(reference, str):
            return self._made(schema)

        if reference not in self._by_reference:
            self._by_reference[reference] = self._made(schema)
        return self._by_reference[reference]

    def _made(self, schema: Any) -> Any:
        value = _Sampler(self.document).of(schema, _Position())
        return {} if value is _NONE else value


@dataclass(frozen=True, slots=True)
class _Position:
    """A place inside a value, and the references that led to it."""

    references: References = ()
    depth: int = 0

    def behind(self, followed: References) -> "_Position":
        return _Position(self.references + followed, self.depth)

    def below(self) -> "_Position":
        return _Position(self.references, self.depth + 1)


class _Sampler:
    """Makes one value of a document."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._objects = 0

    def of(self, schema: Any, position: _Position) -> Any:
        """Return a value, or _NONE where it would not end."""
        schema, followed = _followed(self._document, schema)
        contains_itself = not set(followed).isdisjoint(position.references)
        if contains_itself or position.depth > DEEPEST or self._objects > 2 * MOST_OBJECTS:
            return _NONE

        if not isinstance(schema, Mapping):
            return {}  # true: anything fits

        given = _given(schema)
        if given is not _NONE:
            return given

        return self._made(schema, position.behind(followed))

    def _made(self, schema: Schema, position: _Position) -> Any:
        if schema.get("allOf"):
            return self._merged(schema, position)

        options = schema.get("oneOf") or schema.get("anyOf")
        if options:
            return self._first(options, position)

        kind = _kind(schema)
        if kind == "object":
            return self._object(schema, position)
        if kind == "array":
            return self._array(schema, position)
        if kind in _SIMPLE:
            return _SIMPLE[kind](schema)

        raise Invalid(f"type {kind!r} is not one of object, array, {', '.join(_SIMPLE)}")

    def _first(self, options: Sequence[Any], position: _Position) -> Any:
        """Return the first value but null: 3.1 lists null where a value may be missing."""
        for option in options:
            value = self.of(option, position)
            if value is not None and value is not _NONE:
                return value

        return None

    def _merged(self, schema: Schema, position: _Position) -> Any:
        """Return a value that fits all parts: merged objects, or the last of other values."""
        parts = list(schema["allOf"])
        if "properties" in schema:
            own = {key: value for key, value in schema.items() if key != "allOf"}
            parts.append(own)

        merged: Any = {}
        for part in parts:
            value = self.of(part, position)
            if value is _NONE:
                continue

            are_objects = isinstance(merged, Mapping) and isinstance(value, Mapping)
            merged = {**merged, **value} if are_objects else value
        return merged

    def _object(self, schema: Schema, position: _Position) -> dict[str, Any]:
        properties = schema.get("properties") or {}
        if not isinstance(properties, Mapping):
            raise Invalid(f"properties: {properties!r:.40} is not a mapping of names to schemas")

        self._objects += 1
        required = schema.get("required") or ()
        made = {}
        for name, property_schema in properties.items():
            if self._is_write_only(property_schema):
                continue

            is_shown = position.depth == 0 or name in required or self._has_room(position)
            if is_shown:
                made[str(name)] = self.of(property_schema, position.below())

        return {name: value for name, value in made.items() if value is not _NONE}

    def _is_write_only(self, schema: Any) -> bool:
        resolved = resolve(self._document, schema)
        return isinstance(resolved, Mapping) and bool(resolved.get("writeOnly"))

    def _has_room(self, position: _Position) -> bool:
        """Whether optional properties are shown here, inside another object."""
        return position.depth < FULL_DEPTH and self._objects < MOST_OBJECTS

    def _array(self, schema: Schema, position: _Position) -> list[Any]:
        item_schema = schema.get("items", {})
        item = self.of(item_schema, position.below())
        if item is _NONE or schema.get("maxItems") == 0:
            return []

        least = _whole(schema.get("minItems"), default=1)
        length = min(max(1, least), MOST_ITEMS)
        return [item] * length


def _given(schema: Schema) -> Any:
    """Return the value that the schema itself names, or _NONE."""
    for key in ("example", "default", "const"):
        if key in schema:
            return schema[key]

    for key in ("examples", "enum"):
        values = schema.get(key)
        if isinstance(values, Sequence) and values:
            return values[0]

    return _NONE


def _kind(schema: Schema) -> str:
    kind = schema.get("type")
    if isinstance(kind, Sequence) and not isinstance(kind, str):  # 3.1: ["string", "null"]
        kind = next((name for name in kind if name != "null"), "null")
    if kind is None:
        kind = "array" if "items" in schema else "object"

    return str(kind)


def _text(schema: Schema) -> str:
    text = FORMATS.get(str(schema.get("format")), "string")
    least = _whole(schema.get("minLength"), default=0)
    most = _whole(schema.get("maxLength"), default=len(text))

    padded = text.ljust(min(least, LONGEST_PADDING), "x")
    return padded[: max(most, least)]


def _number(schema: Schema) -> Any:
    """Return the least number that fits and is not negative, or the maximum if that is below."""
    least = schema.get("minimum", 0)
    most = schema.get("maximum")
    exclusive = schema.get("exclusiveMinimum", False)
    if exclusive is True:  # 3.0: minimum itself is excluded
        least += 1
    elif exclusive is not False:  # 3.1: the excluded number
        least = exclusive + 1

    value = most if most is not None and most < least else least
    step = schema.get("multipleOf")
    if not step:
        return value

    return -(-value // step) * step  # rounded up


def _whole(value: Any, *, default: int) -> int:
    return value if isinstance(value, int) else default


_SIMPLE: dict[str, Callable[[Schema], Any]] = {
    "string": _text,
    "integer": lambda schema: int(_number(schema)),
    "number": _number,
    "boolean": lambda _: True,
    "null": lambda _: None,
}
