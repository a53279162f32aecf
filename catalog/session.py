"""A session with etcd that another thread can end. No retry: that is sidecar.retry's."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from catalog.access import Access
from catalog.store import Store


class Session:
    """Opens a store whenever its thread needs one, until `end` is called from any thread.

    `ended` is set from then on, and all calls to stores of this session raise Unavailable at once.
    """

    def __init__(self, access: Access) -> None:
        self.ended = threading.Event()
        self._access = access
        self._store: Store | None = None

    @contextmanager
    def store(self) -> Iterator[Store]:
        """Open a store for as long as the `with` lasts."""
        store = Store(self._access)
        self._store = store
        # `end` may have come before the line above: it closed nothing then.
        if self.ended.is_set():
            store.close()

        try:
            yield store
        finally:
            store.close()

    def end(self) -> None:
        """End the session for good, and whatever waits for etcd in it."""
        self.ended.set()
        if (store := self._store) is not None:
            store.close()
