"""Describe etcd's API to protobuf: the tables of catalog.etcd.messages, serialized. No I/O.

It is a FileDescriptorProto (google/protobuf/descriptor.proto), written here byte by byte: the
module that protobuf has for such messages takes 2 MB for this one use.
"""

from collections.abc import Iterable, Mapping, Sequence

from catalog.etcd.messages import ENUMS, MESSAGES, PACKAGE, rows

_FILE = "tandem/etcd.proto"
_OPTIONAL, _REPEATED = 1, 3
_MESSAGE, _ENUM = 11, 14
_SCALARS = {"int64": 3, "uint64": 4, "bool": 8, "string": 9, "bytes": 12, "uint32": 13}
_VARINT, _DELIMITED = 0, 2

_Fields = Iterable[tuple[int, int | str | bytes]]  # number and value
_Enums = Mapping[str, Sequence[Sequence[str]]]


def serialized_file() -> bytes:
    """Return the tables as a serialized FileDescriptorProto."""
    enums = rows(ENUMS)
    messages = rows(MESSAGES)
    top_level = {name: values for name, values in enums.items() if "." not in name}

    return _serialized(
        [
            (1, _FILE),
            (2, PACKAGE),
            *((4, _message(name, fields, enums)) for name, fields in messages.items()),
            *((5, _enum(name, values)) for name, values in top_level.items()),
            (12, "proto3"),
        ]
    )


def _message(name: str, fields: Sequence[Sequence[str]], enums: _Enums) -> bytes:
    groups = list(dict.fromkeys(words[0] for words in fields if words[0].startswith("<")))
    inner = {enum.removeprefix(f"{name}."): values for enum, values in enums.items()}

    return _serialized(
        [
            (1, name),
            *((2, _field(words, groups, enums)) for words in fields),
            *((4, _enum(own, inner[own])) for own in inner if f"{name}.{own}" in enums),
            *((8, _serialized([(1, group.strip("<>"))])) for group in groups),
        ]
    )


def _field(words: Sequence[str], groups: Sequence[str], enums: _Enums) -> bytes:
    *before, kind, name, number = words
    fields: list[tuple[int, int | str]] = [
        (1, name),
        (3, int(number)),
        (4, _REPEATED if before == ["repeated"] else _OPTIONAL),
    ]

    if kind in _SCALARS:
        fields.append((5, _SCALARS[kind]))
    else:
        fields += [(5, _ENUM if kind in enums else _MESSAGE), (6, f".{PACKAGE}.{kind}")]

    if before and before != ["repeated"]:
        fields.append((9, groups.index(before[0])))
    return _serialized(fields)


def _enum(name: str, values: Iterable[Sequence[str]]) -> bytes:
    shown = (_serialized([(1, value), (2, int(number))]) for value, number in values)
    return _serialized([(1, name), *((2, value) for value in shown)])


def _serialized(fields: _Fields) -> bytes:
    """Return a message in protobuf's wire format."""
    parts: list[bytes] = []
    for number, value in fields:
        if isinstance(value, int):
            parts += [_varint(number << 3 | _VARINT), _varint(value)]
            continue

        data = value.encode() if isinstance(value, str) else value
        parts += [_varint(number << 3 | _DELIMITED), _varint(len(data)), data]
    return b"".join(parts)


def _varint(value: int) -> bytes:
    """Return a number in groups of 7 bits, the lowest first; all but the last have bit 8 set."""
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)
