"""Which free labels a record keeps, and what looks secret in a label. No I/O."""

import re
from collections.abc import Iterable, Mapping

from catalog.values.rules import TEXT
from catalog.values.secrets import looks_secret
from register.reasons import because
from sidecar.status.problems import Problem

# Every host reads what goes to etcd: nobody meant SERVICE_DB_PASSWORD as an attribute.
_SECRET_NAME = re.compile(
    r"PASS|PWD|SECRET|TOKEN|CREDENTIAL|PRIVATE|AUTH|DSN|JWT|BASE64|HEX_[0-9]|SALT|KEY(?:_|$)"
)
_SHOWN = 3  # of several that are alike, as many as a message names


def is_secret(name: str, value: str) -> bool:
    """Whether a free label looks secret, by its name or its value."""
    return bool(_SECRET_NAME.search(name)) or looks_secret(value)


def is_text(name: str, value: str) -> bool:
    """Whether a record takes a free label."""
    return bool(TEXT.fullmatch(name.lower()) and TEXT.fullmatch(value))


def not_kept(container: str, secret: Iterable[str], odd: Iterable[str]) -> Mapping[str, Problem]:
    """Return why these free labels, given by their whole names, are not in the record."""
    notes: dict[str, Problem] = {}
    if names := some(secret):
        text = f"{container} has labels that look secret and stay out of etcd: {names}"
        notes["secrets"] = because("LOOKS_SECRET", text)
    if names := some(odd):
        text = f"{container} has labels that are no attributes, as they are too long, or no text"
        notes["attributes"] = because("PARTLY_APPLIED", f"{text}: {names}")
    return notes


def some(items: Iterable[str]) -> str:
    """Return the first of these, as a message shows them, and how many more there are."""
    shown = [f"{ascii(item)[1:-1]:.80}" for item in items]
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more
