"""The message module made for etcd3: every name it uses is there, every number is etcd's."""

import ast
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2  # type: ignore[import-untyped]

from catalog.etcd.messages import MESSAGES, SERVICES, rows
from catalog.etcd.rpc import file_descriptor, rpc_module

ADDED_SINCE = {  # by etcd 3.4, after the descriptors in etcd3 0.12.0 were generated
    "WatchRequest.progress_request",
    "WatchCreateRequest.watch_id",
    "WatchCreateRequest.fragment",
    "WatchResponse.fragment",
    "StatusResponse.dbSizeInUse",
    "StatusResponse.dbSizeQuota",  # by 3.6
}


def etcd3_folder() -> Path:
    spec = importlib.util.find_spec("etcd3")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def names_used_by_etcd3() -> set[str]:
    trees = [ast.parse(path.read_text()) for path in etcd3_folder().glob("*.py")]
    dotted = {
        ast.unparse(node)
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
    }
    return {name.removeprefix("etcdrpc.") for name in dotted if name.startswith("etcdrpc.")}


def files_inside_etcd3() -> Iterator[Any]:
    """Yield the descriptors in etcd3's generated modules, read without running them."""
    for path in sorted((etcd3_folder() / "etcdrpc").glob("*_pb2.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "serialized_pb":
                assert isinstance(node.value, ast.Call)
                text = ast.literal_eval(node.value.args[0])
                yield descriptor_pb2.FileDescriptorProto.FromString(text.encode("latin-1"))
                break


def messages_of(files: Iterator[Any]) -> dict[str, Any]:
    return {message.name: message for file in files for message in file.message_type}


def shape(field: Any) -> tuple[Any, ...]:
    return (
        field.number,
        field.type,
        field.label,
        field.type_name.rpartition(".")[2],
        field.HasField("oneof_index"),
    )


def test_every_name_that_etcd3_uses_exists() -> None:
    module = rpc_module()
    names = names_used_by_etcd3()

    assert len(names) > 40, "etcd3's source was not read"
    for name in sorted(names):
        found: Any = module
        for part in name.split("."):
            found = getattr(found, part)


def test_every_message_is_etcds_field_by_field() -> None:
    theirs = messages_of(files_inside_etcd3())
    ours = messages_of(iter([file_descriptor()]))

    assert ours.keys() - theirs.keys() == {"WatchProgressRequest"}
    for name in ours.keys() & theirs.keys():
        upstream = {f"{name}.{field.name}": shape(field) for field in theirs[name].field}
        here = {f"{name}.{field.name}": shape(field) for field in ours[name].field}
        assert {field: here[field] for field in here.keys() - ADDED_SINCE} == upstream
        assert enums_of(ours[name]) == enums_of(theirs[name])


def enums_of(message: Any) -> dict[str, dict[str, int]]:
    return {
        enum.name: {value.name: value.number for value in enum.value} for enum in message.enum_type
    }


def test_every_method_is_etcds() -> None:
    theirs = {service.name: service for file in files_inside_etcd3() for service in file.service}
    for service, methods in rows(SERVICES).items():
        known = {
            method.name: [
                method.name,
                method.input_type.rpartition(".")[2] + "*" * method.client_streaming,
                method.output_type.rpartition(".")[2] + "*" * method.server_streaming,
            ]
            for method in theirs[service].method
        }
        assert all(method == known[method[0]] for method in methods)


@pytest.mark.parametrize(
    ("field", "number"),
    [  # etcd 3.4, api rpc.proto
        ("WatchRequest.progress_request", 3),
        ("WatchCreateRequest.watch_id", 7),
        ("WatchCreateRequest.fragment", 8),
        ("WatchResponse.fragment", 7),
    ],
)
def test_fields_of_etcd_3_4(field: str, number: int) -> None:
    message, _, name = field.partition(".")

    assert getattr(rpc_module(), message).DESCRIPTOR.fields_by_name[name].number == number


def test_two_modules_do_not_clash() -> None:
    first, second = rpc_module(), rpc_module()

    assert first.KeyValue is not second.KeyValue
    assert rows(MESSAGES).keys() <= vars(first).keys()


@pytest.mark.parametrize("environment", [{}, {"PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "python"}])
def test_store_imports_without_a_warning(environment: dict[str, str]) -> None:
    program = "import catalog.store, os; print(os.environ['GRPC_ENABLE_FORK_SUPPORT'])"

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=Path(__file__).parents[3],
        env=dict(os.environ) | environment,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")
