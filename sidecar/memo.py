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
    """Values by name: each is made anew only from another input, and forgotten with its name.

    A round of docker-discover goes through all services here, so what stays must cost little.
    """

    def __init__(self, make: Callable[[str, Input], Value]) -> None:
        self._make = make
        self._names: list[str] = []
        self._inputs: Mapping[str, Input] = {}
        self._values: Mapping[str, Value] = {}

    def get(self, inputs: Mapping[str, Input]) -> Mapping[str, Value]:
        """Return the value for each name, in the order of `inputs`; the same mapping if all stay.

        If `make` raises, all is kept as it was.
        """
        names = list(inputs)
        if names == self._names:
            values = self._with_other_inputs(inputs)
        else:
            values = self._with_other_names(inputs)

        self._names = names
        self._inputs = inputs
        self._values = values
        return values

    def _with_other_inputs(self, inputs: Mapping[str, Input]) -> Mapping[str, Value]:
        pairs = zip(self._names, inputs.values(), self._inputs.values(), strict=True)
        made = {
            name: self._make(name, given)
            for name, given, last in pairs
            if last is not given and last != given
        }
        return {**self._values, **made} if made else self._values

    def _with_other_names(self, inputs: Mapping[str, Input]) -> Mapping[str, Value]:
        before: Mapping[str, object] = self._inputs
        # One object is the rule, so only the others are compared.
        others = [
            name for name, given in inputs.items() if before.get(name, _NEVER_MADE) is not given
        ]
        made = {
            name: self._make(name, inputs[name])
            for name in others
            if before.get(name, _NEVER_MADE) != inputs[name]
        }

        values = {**self._values, **made}
        return {name: values[name] for name in inputs}
