"""Values -> YAML. The only module here that needs its library."""

from typing import Any

import yaml


def yaml_of(document: Any) -> str:
    """Return a document as YAML, its keys sorted."""
    return yaml.safe_dump(document, sort_keys=True, allow_unicode=True, width=100)
