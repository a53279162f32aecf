"""Import a library without those of its modules that only cost memory here."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


@contextmanager
def without_modules(*names: str) -> Iterator[None]:
    """Give imports inside the `with` empty modules of these names, and later ones the real ones."""
    absent = [name for name in names if name not in sys.modules]
    sys.modules.update({name: ModuleType(name) for name in absent})
    try:
        yield
    finally:
        for name in absent:
            _forget(name)


def _forget(name: str) -> None:
    del sys.modules[name]
    package, _, own_name = name.rpartition(".")
    if package in sys.modules:
        vars(sys.modules[package]).pop(own_name, None)
