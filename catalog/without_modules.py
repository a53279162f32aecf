"""Import a library without those of its modules that only cost memory here."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType


@contextmanager
def without_modules(*names: str) -> Iterator[None]:
    """Give imports inside the `with` empty modules of these names, and later ones the real ones.

    Whatever is imported from an empty module is a class with nothing in it, so it can have
    subclasses.
    """
    with _instead({name: _Empty(name) for name in names}):
        yield


@contextmanager
def as_if_missing(*names: str) -> Iterator[None]:
    """Let imports of these names fail inside the `with`, for what works without them.

    Those that are loaded already cost nothing more, so they are there.
    """
    with _instead({name: None for name in names if name not in sys.modules}):
        yield


class _Empty(ModuleType):
    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):  # what Python itself asks a module for
            raise AttributeError(name)
        return type(name, (), {})


@contextmanager
def _instead(modules: Mapping[str, ModuleType | None]) -> Iterator[None]:
    """Put these in the place of the modules of their names, for a while."""
    # An entry that is None makes Python refuse the import.
    loaded: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]
    before = {name: loaded[name] for name in modules if name in loaded}
    loaded.update(modules)
    try:
        yield
    finally:
        for name in modules.keys() - before.keys():
            _forget(name)
        loaded.update(before)


def _forget(name: str) -> None:
    del sys.modules[name]
    package, _, own_name = name.rpartition(".")
    if package in sys.modules:
        vars(sys.modules[package]).pop(own_name, None)
