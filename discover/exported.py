"""Read a catalog from what etcdctl printed. No I/O."""

import base64
import json
from typing import Any

from catalog.entries import Entry, Listing
from catalog.errors import Rejected


def listing_of(text: str) -> Listing:
    """Return the listing in the output of `etcdctl get --prefix … -w json`. Raises Rejected.

    The form is that of etcd's JSON mapping of RangeResponse: keys and values in base64, no field that is 0.
    """
    try:
        reply = json.loads(text)
        header, found = reply["header"], reply.get("kvs", [])
        entries = tuple(map(_entry, found))
        return Listing(int(header.get("cluster_id", 0)), int(header["revision"]), entries)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise Rejected(
            f"is not what `etcdctl get --prefix /services -w json` prints: {error!r:.80}"
        ) from error


def _entry(found: dict[str, Any]) -> Entry:
    key = base64.b64decode(found["key"], validate=True).decode()
    value = base64.b64decode(found.get("value", ""), validate=True)
    return Entry(
        key,
        value,
        int(found["create_revision"]),
        int(found["mod_revision"]),
        int(found.get("lease", 0)),
    )
