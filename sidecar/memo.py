"""Values that are kept while what they were made from stays the same.

Two inputs are the same if they are one object or equal. So an input is never changed in place:
give frozen values, tuples, and mappings that their makers leave alone.
"""

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

Input = TypeVar("Input")
Value = TypeVar("Value")

_NEVER_MADE = object()  # equals no input


class Memo(Generic[Input, Value]):
    """One value, made anew only from another input than the last time."""

    def __init__(self, make: Callable[[Input], Value]) -> None:
        self._make = make
        self._input: object = _NEVER_MADE
        self._value: Value

    def get(self, given: Input) -> Value:
        """Return the value made from this input. If `make` raises, the last value is kept."""
        if self._input is not given and self._input != given:
            self._value = self._make(given)
            self._input = given

        return self._value


class MemoByName(Generic[Input, Value]):
    """Values by name: each is made anew only from another input, and forgotten with its name."""

    def __init__(self, make: Callable[[str, Input], Value]) -> None:
        self._make = make
        self._inputs: Mapping[str, Input] = {}
        self._values: Mapping[str, Value] = {}

    def get(self, inputs: Mapping[str, Input]) -> Mapping[str, Value]:
        """Return the value for each name, in the order of `inputs`; the same mapping if all stay.

        If `make` raises, all is kept as it was.
        """
        made = {name: self._make(name, inputs[name]) for name in self._changed(inputs)}

        if made or list(inputs) != list(self._inputs):
            kept = self._values
            self._values = {name: made[name] if name in made else kept[name] for name in inputs}

        self._inputs = inputs
        return self._values

    def _changed(self, inputs: Mapping[str, Input]) -> list[str]:
        """Return the names that are new or have another input than the last time."""
        before: Mapping[str, object] = self._inputs
        last = before.get

        # This line runs for each service in each round: a call for each would be felt.
        return [
            name
            for name, given in inputs.items()
            if last(name, _NEVER_MADE) is not given and last(name, _NEVER_MADE) != given
        ]
