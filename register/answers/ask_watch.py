"""Follow the questions in etcd: list, then watch."""

import logging

from catalog.access import Access
from catalog.asking.inbox import Inbox
from catalog.errors import Compacted
from catalog.keys import asks_root
from catalog.session import Session
from catalog.store import Store
from sidecar.actors import Actor
from sidecar.retry import keep_running

log = logging.getLogger(__name__)


class AskWatch:
    """The actor that fills the inbox."""

    def __init__(self, access: Access, prefix: str, inbox: Inbox, *, cap_s: float) -> None:
        self._root = asks_root(prefix)
        self._inbox = inbox
        self._cap_s = cap_s
        self._etcd = Session(access)

    def actor(self) -> Actor:
        """Return this as an actor."""
        return Actor("ask watch", self.run, self._etcd.end)

    def run(self) -> None:
        """Watch until interrupted. Without etcd nobody can ask."""
        keep_running(
            self._session, name="watch of questions", stop=self._etcd.ended, cap_s=self._cap_s
        )

    def _session(self) -> None:
        with self._etcd.store() as store:
            try:
                while not self._etcd.ended.is_set():
                    self._follow(store)
            except Compacted:
                log.info("the watch of questions fell behind etcd's compaction, restarting it")

    def _follow(self, store: Store) -> None:
        listing = store.list(self._root)
        self._inbox.listed(listing.entries)
        for batch in store.watch(self._root, listing.revision):
            self._inbox.changed(batch.events)
