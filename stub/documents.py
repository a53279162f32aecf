"""Read JSON and YAML text, and say in one line where it is wrong. The only module here that imports yaml."""

import json
import re

import yaml

from stub.answers import Bad

_DATE, _BOOL = "tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:bool"


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML 1.2's values, as OpenAPI has them: `no` and `on` are words, and a date stays the text that it is."""

    yaml_implicit_resolvers = {  # noqa: RUF012  the library's own form
        first: [(tag, pattern) for tag, pattern in some if tag not in (_DATE, _BOOL)]
        for first, some in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver(_BOOL, re.compile(r"true|True|TRUE|false|False|FALSE"), list("tTfF"))


def parse_json(content: bytes) -> object:
    """Return what a JSON text says; raises Bad with the place."""
    try:
        return json.loads(content)
    except json.JSONDecodeError as error:
        raise Bad(f"line {error.lineno}, column {error.colno}: no JSON: {error.msg}") from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise Bad(f"no JSON: {error}") from error


def parse_yaml(content: bytes) -> object:
    """Return what a YAML text says; raises Bad with the place."""
    try:
        return yaml.load(content, _Loader)  # noqa: S506  it is a safe one
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise Bad(f"{place}no YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise Bad(f"no YAML: {' '.join(str(error).split())}") from error
