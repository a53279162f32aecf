"""The YAML of the services file: text in, one entry for each service out, not yet read. No I/O.

The only user of yaml, which takes memory: imported only where SERVICES names a file.
"""

from collections.abc import Mapping
from typing import Any

import yaml

from catalog.errors import Rejected
from catalog.values.value_types import shown

BYTES_MAX = 4 * 1024 * 1024  # ten thousand servers and more, each on a line of its own

# The scanner in C is ten times as fast; only a yaml that was built without libyaml lacks it.
_Safe: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Safe):  # type: ignore[valid-type, misc]
    """A safe loader that refuses a name which stands twice: the first one would vanish unseen."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return a mapping; the marks are those of yaml."""
        seen = set[str]()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"{key.value!r} is there twice", problem_mark=key.start_mark
                )
            seen.add(str(key.value))

        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


def entries_of(text: str) -> Mapping[Any, Any]:
    """Return the entry of each service. Raises Rejected if the text is no services file."""
    if len(text) > BYTES_MAX:
        raise Rejected(f"{len(text)} bytes, at most {BYTES_MAX} are read")

    document = _document(text)
    services = document.get("services") if isinstance(document, dict) else None
    if not isinstance(services, dict) or len(document) > 1:
        right = "expected `services:` with a key for each service, or `services: {}` for none"
        raise Rejected(f"{_seen(document)}; {right}")
    return services


def _document(text: str) -> Any:
    try:
        return yaml.load(text, _Loader)  # noqa: S506  it is a SafeLoader
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise Rejected(f"not YAML: {line}{error.problem}") from error
    except (
        yaml.YAMLError,
        # what yaml's readers of tagged scalars, such as !!bool or !!timestamp, happen to raise
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        RecursionError,
    ) as error:
        raise Rejected(f"not YAML: {error!r:.120}") from error


def _seen(document: object) -> str:
    if document is None:
        return "is empty"
    if isinstance(document, dict):
        return f"has the keys {', '.join(map(shown, document))}"
    return f"is {shown(document)}"
