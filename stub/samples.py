"""A value that fits a JSON schema, as OpenAPI 3.0 and 3.1 write it: by its examples, else made up. No I/O."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stub.answers import Bad

MOST_REFS = 20  # that lead to one another
DEEPEST = 12  # levels of a value
FULL_DEPTH = 3  # below it, and in a value of more objects, only what is required is shown:
MOST_OBJECTS = 50  # schemas that name each other would make a value as large as the whole document
MOST_ITEMS = 20
# What stands for text of a format: RFC 3339 dates, RFC 2606 names, RFC 5737 and 3849 addresses.
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
_NONE = object()


def resolve(document: Mapping[str, Any], value: Any) -> Any:
    """Follow a $ref inside the document, also one that leads to another; raises Bad."""
    return _followed(document, value)[0]


def _followed(document: Mapping[str, Any], value: Any) -> tuple[Any, tuple[str, ...]]:
    """Return what a $ref leads to, and the references that were followed."""
    followed: tuple[str, ...] = ()
    while isinstance(value, Mapping) and isinstance(value.get("$ref"), str):
        if len(followed) == MOST_REFS:
            raise Bad(f"$ref {value['$ref']!r} leads in a circle")
        followed += (value["$ref"],)
        value = _at(document, value["$ref"])
    return value, followed


def _at(document: Mapping[str, Any], reference: str) -> Any:
    if not reference.startswith("#/"):
        raise Bad(f"$ref {reference!r} leads to another file; only #/… in the same file is read")
    found: Any = document
    for word in reference[2:].split("/"):
        key = word.replace("~1", "/").replace("~0", "~")  # RFC 6901 section 4
        if not isinstance(found, Mapping) or key not in found:
            raise Bad(f"$ref {reference!r} leads nowhere: there is no {word!r}")
        found = found[key]
    return found


class Samples:
    """Values for the schemas of one document. Those that are named are made once."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self._named: dict[str, Any] = {}

    def resolve(self, value: Any) -> Any:
        """Follow a $ref; raises Bad."""
        return resolve(self.document, value)

    def of(self, schema: Any) -> Any:
        """Return a value that fits; what contains itself, or lies too deep, is left out. Raises Bad."""
        name = schema.get("$ref") if isinstance(schema, Mapping) else None
        if not isinstance(name, str):
            return self._made(schema)
        if name not in self._named:
            self._named[name] = self._made(schema)
        return self._named[name]

    def _made(self, schema: Any) -> Any:
        value = _Sampler(self.document).of(schema, (), 0)
        return {} if value is _NONE else value


class _Sampler:
    """Makes values of one document. `within` are the references that led here: one of them again has no end."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._objects = 0

    def of(self, schema: Any, within: tuple[str, ...], depth: int) -> Any:
        """Return a value, or _NONE where there is no end to it."""
        schema, followed = _followed(self._document, schema)
        if set(followed) & set(within) or depth > DEEPEST or self._objects > 2 * MOST_OBJECTS:
            return _NONE
        if not isinstance(schema, Mapping):
            return {}  # true: anything fits
        within += followed
        if (given := _given(schema)) is not _NONE:
            return given
        return self._made(schema, within, depth)

    def _made(self, schema: Mapping[str, Any], within: tuple[str, ...], depth: int) -> Any:
        if schema.get("allOf"):
            return self._merged(schema, within, depth)
        if options := schema.get("oneOf") or schema.get("anyOf"):
            return self._first(options, within, depth)
        kind = _kind(schema)
        if kind in ("object", "array"):
            return (self._object if kind == "object" else self._array)(schema, within, depth)
        make = _SIMPLE.get(kind)
        if make is None:
            raise Bad(f"type {kind!r} is none of object, array, {', '.join(_SIMPLE)}")
        return make(schema)

    def _first(self, options: Sequence[Any], within: tuple[str, ...], depth: int) -> Any:
        """Return the first that is more than null, which is how 3.1 says that there may be none."""
        values = (self.of(option, within, depth) for option in options)
        return next((value for value in values if value is not None and value is not _NONE), None)

    def _merged(self, schema: Mapping[str, Any], within: tuple[str, ...], depth: int) -> Any:
        """Return what fits all parts: objects are laid one over the other, of anything else the last counts."""
        rest = {key: value for key, value in schema.items() if key != "allOf"}
        merged: Any = {}
        for part in (*schema["allOf"], *([rest] if "properties" in rest else [])):
            value = self.of(part, within, depth)
            if value is not _NONE:
                both = isinstance(merged, Mapping) and isinstance(value, Mapping)
                merged = {**merged, **value} if both else value
        return merged

    def _object(
        self, schema: Mapping[str, Any], within: tuple[str, ...], depth: int
    ) -> dict[str, Any]:
        properties = schema.get("properties") or {}
        if not isinstance(properties, Mapping):
            raise Bad(f"properties: {properties!r:.40} is no mapping of names to schemas")
        self._objects += 1
        required = schema.get("required") or ()
        made = {}
        for name, each in properties.items():
            shown = resolve(self._document, each)
            if isinstance(shown, Mapping) and shown.get("writeOnly"):
                continue
            if (
                depth == 0
                or name in required
                or (depth < FULL_DEPTH and self._objects < MOST_OBJECTS)
            ):
                made[str(name)] = self.of(each, within, depth + 1)
        return {name: value for name, value in made.items() if value is not _NONE}

    def _array(self, schema: Mapping[str, Any], within: tuple[str, ...], depth: int) -> list[Any]:
        item = self.of(schema.get("items", {}), within, depth + 1)
        if item is _NONE or schema.get("maxItems") == 0:
            return []
        return [item] * min(max(1, _whole(schema.get("minItems"), 1)), MOST_ITEMS)


def _given(schema: Mapping[str, Any]) -> Any:
    """Return the value that the schema itself names."""
    for word in ("example", "default", "const"):
        if word in schema:
            return schema[word]
    for word in ("examples", "enum"):
        if isinstance(schema.get(word), Sequence) and schema[word]:
            return schema[word][0]
    return _NONE


def _kind(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, Sequence) and not isinstance(kind, str):  # 3.1: ["string", "null"]
        kind = next((each for each in kind if each != "null"), "null")
    if kind is None:
        kind = "array" if "items" in schema else "object"
    return str(kind)


def _text(schema: Mapping[str, Any]) -> str:
    text = FORMATS.get(str(schema.get("format")), "string")
    least, most = _whole(schema.get("minLength"), 0), _whole(schema.get("maxLength"), len(text))
    return text.ljust(min(least, 10_000), "x")[: max(most, least)]


def _number(schema: Mapping[str, Any]) -> Any:
    """Return the least that fits and is not negative; the most if that is below zero."""
    least, most = schema.get("minimum", 0), schema.get("maximum")
    above = schema.get("exclusiveMinimum", False)  # 3.0: true; 3.1: the number itself
    if above is not False:
        least = (least if above is True else above) + 1
    value = most if most is not None and most < least else least
    step = schema.get("multipleOf")
    return -(-value // step) * step if step else value


def _whole(value: Any, otherwise: int) -> int:
    return value if isinstance(value, int) else otherwise


_SIMPLE: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "string": _text,
    "integer": lambda schema: int(_number(schema)),
    "number": _number,
    "boolean": lambda _: True,
    "null": lambda _: None,
}
