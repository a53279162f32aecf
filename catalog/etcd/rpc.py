"""Make the module that etcd3 imports as `etcd3.etcdrpc`: messages and stubs.

The only importer of protobuf.

etcd3 0.12.0 brings modules that protoc generated in 2019. protobuf >= 4 refuses to load them
("Descriptors cannot be created directly"), but etcd3 needs only their names. They are made here
from the tables in catalog.etcd.messages, with whatever protobuf is installed. This can go when a
release of etcd3 imports under protobuf 7.
"""

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

# protobuf's wheel has no type information.
from google.protobuf.internal import api_implementation  # type: ignore[import-untyped]

from catalog.etcd.messages import ENUMS, MESSAGES, PACKAGE, SERVICES, rows
from catalog.without_modules import without_modules

# protobuf's twin in pure Python: 1.4 MB, used only where somebody asks for it.
_UNUSED = (
    () if api_implementation.Type() == "python" else ("google.protobuf.internal.python_message",)
)
with without_modules(*_UNUSED):
    from google.protobuf import (  # type: ignore[import-untyped]
        descriptor_pb2,
        descriptor_pool,
        message_factory,
    )

_FILE = "tandem/etcd.proto"
_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "bytes": _Field.TYPE_BYTES,
    "string": _Field.TYPE_STRING,
    "bool": _Field.TYPE_BOOL,
    "int64": _Field.TYPE_INT64,
    "uint64": _Field.TYPE_UINT64,
    "uint32": _Field.TYPE_UINT32,
}


def rpc_module() -> ModuleType:
    """Return a new module with every message, top-level enum value and `<service>Stub` class."""
    # A pool of its own: other packages may register files or messages of the same name.
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file_descriptor())
    module = ModuleType("etcd3.etcdrpc", __doc__)

    for name in rows(MESSAGES):
        message = message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))
        setattr(module, name, message)

    for name, values in rows(ENUMS).items():
        if "." not in name:  # protobuf puts the values of the others on their message
            vars(module).update((value, int(number)) for value, number in values)

    for service, methods in rows(SERVICES).items():
        setattr(module, f"{service}Stub", _stub_class(module, service, methods))
    return module


def file_descriptor() -> Any:
    """Return the tables as protobuf's FileDescriptorProto."""
    file = descriptor_pb2.FileDescriptorProto(name=_FILE, package=PACKAGE, syntax="proto3")
    enums = rows(ENUMS)

    for name, fields in rows(MESSAGES).items():
        message = file.message_type.add(name=name)
        for words in fields:
            _add_field(message, words, enums)

    messages = {message.name: message for message in file.message_type}
    for name, values in enums.items():
        parent, _, own_name = name.rpartition(".")
        owner = messages[parent] if parent else file
        enum = owner.enum_type.add(name=own_name)
        for value, number in values:
            enum.value.add(name=value, number=int(number))
    return file


def _add_field(message: Any, words: list[str], enums: Mapping[str, Any]) -> None:
    *group, kind, name, number = words
    field = message.field.add(name=name, number=int(number), label=_Field.LABEL_OPTIONAL)

    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type = _Field.TYPE_ENUM if kind in enums else _Field.TYPE_MESSAGE
        field.type_name = f".{PACKAGE}.{kind}"

    if group == ["repeated"]:
        field.label = _Field.LABEL_REPEATED
    elif group:
        field.oneof_index = _oneof_index(message, group[0].strip("<>"))


def _oneof_index(message: Any, name: str) -> int:
    """Return the place of a group among those of the message, where it is added if it is new."""
    names = [oneof.name for oneof in message.oneof_decl]
    if name not in names:
        message.oneof_decl.add(name=name)
        names.append(name)
    return names.index(name)


def _stub_class(module: ModuleType, service: str, methods: list[list[str]]) -> type[Any]:
    def connect(stub: Any, channel: Any) -> None:
        for method, request, response in methods:
            path = f"/{PACKAGE}.{service}/{method}"
            setattr(stub, method, _callable(module, channel, path, request, response))

    about = f"etcd's {service} service on one channel."
    return type(f"{service}Stub", (), {"__init__": connect, "__doc__": about})


def _callable(module: ModuleType, channel: Any, path: str, request: str, response: str) -> Any:
    kinds = ("stream" if message.endswith("*") else "unary" for message in (request, response))
    # unary_unary, stream_stream, ...
    method_of: Callable[..., Any] = getattr(channel, "_".join(kinds))

    return method_of(
        path,
        request_serializer=getattr(module, request.strip("*")).SerializeToString,
        response_deserializer=getattr(module, response.strip("*")).FromString,
    )
