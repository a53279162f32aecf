"""A module that an import leaves out is not loaded by it; a later import of it works."""

import subprocess
import sys

import pytest

LEFT_OUT = ("grpc.aio", "google.protobuf.internal.python_message")


def told(program: str) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False
    )
    return done.stdout.strip(), done.stderr


def test_the_store_comes_without_them() -> None:
    names = (
        f"import catalog.store, sys; print([name for name in {LEFT_OUT} if name in sys.modules])"
    )

    assert told(names) == ("[]", "")


@pytest.mark.parametrize(
    ("part", "name"), [(LEFT_OUT[0], "Metadata"), (LEFT_OUT[1], "GeneratedProtocolMessageType")]
)
def test_they_are_whole_when_somebody_imports_them_later(part: str, name: str) -> None:
    package, _, own = part.rpartition(".")

    assert told(f"import catalog.store; from {part} import {name}; print({name}.__name__)") == (
        name,
        "",
    )
    assert told(
        f"import catalog.store; from {package} import {own}; print({own}.{name}.__name__)"
    ) == (name, "")


def test_what_was_there_before_stays() -> None:
    assert told("import grpc, catalog.store; print(grpc.aio.Metadata.__name__)") == ("Metadata", "")
