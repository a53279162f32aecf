"""Parse JSON and YAML text, and name the place of an error in one line.

The only module here that imports yaml.
"""

import json
import re

import yaml

from stub.answers import Invalid

_DATE = "tag:yaml.org,2002:timestamp"
_BOOL = "tag:yaml.org,2002:bool"


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML 1.2's values, as OpenAPI has them: `no` and `on` are words, a date stays text."""

    yaml_implicit_resolvers = {  # noqa: RUF012  the library's own form
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in (_DATE, _BOOL)]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver(
    _BOOL,
    re.compile(r"true|True|TRUE|false|False|FALSE"),
    list("tTfF"),
)


def parse_json(content: bytes) -> object:
    """Return the value of a JSON text; raises Invalid with the place."""
    try:
        return json.loads(content)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise Invalid(f"{place}: not JSON: {error.msg}") from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise Invalid(f"not JSON: {error}") from error


def parse_yaml(content: bytes) -> object:
    """Return the value of a YAML text; raises Invalid with the place."""
    try:
        return yaml.load(content, _Loader)  # noqa: S506  it is a safe one
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise Invalid(f"{place}not YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        one_line = " ".join(str(error).split())
        raise Invalid(f"not YAML: {one_line}") from error
