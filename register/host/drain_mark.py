"""The key that marks a host as drained: under no lease, so that it stays until it is deleted."""

import json
import logging
import time

from catalog.entries import Delete, Entry, Put
from catalog.errors import Conflict, Unavailable
from catalog.keys import DrainedKey, key_of
from catalog.store import Store
from sidecar.log import Details

log = logging.getLogger(__name__)

WAY_BACK = "`docker-register --undrain` or SIGUSR2 brings it back"


def mark_drained(store: Store, prefix: str, host: str, by: str) -> None:
    """Mark the host as drained, by a machine of this name. Raises Unavailable."""
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    document = {"v": 1, "since": since, "by": by}
    value = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    try:
        store.write([Put(key_of(prefix, DrainedKey(host)), value, expected=0)], lease=0)
    except Conflict:
        log.debug("the host is already marked as drained")


def undrain(store: Store, prefix: str, host: str) -> None:
    """Delete the mark, so that the host's registrar publishes again. Raises Unavailable."""
    key = key_of(prefix, DrainedKey(host))
    entry = store.get(key)
    if entry is None:
        log.info("not drained %s", Details(host=host))
        return

    try:
        store.write([Delete(key, entry.mod_revision)], lease=0)
    except Conflict as error:
        raise Unavailable(str(error)) from error
    log.info("back in service %s", Details(host=host))


def why_drained(entry: Entry) -> str:
    """Return one line for people about a mark that stands in etcd."""
    try:
        document = json.loads(entry.value)
        since = str(document["since"])[:40]
    except (ValueError, RecursionError, LookupError, TypeError):
        since = "?"
    return f"HOST_DRAINED: this host is out of service since {since}; {WAY_BACK}"
