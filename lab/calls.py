"""Make one HTTP request from inside a machine of the fleet."""

import contextlib
import http.client
from dataclasses import dataclass

from lab.namespace import Namespace

ANSWER_S = 5.0


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply; the words of a whoami container are service, container and generation."""

    status: int
    text: str

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(self.text.split())


def fetch(
    namespace: Namespace,
    address: str,
    port: int,
    path: str = "/",
    *,
    method: str = "GET",
    timeout_s: float = ANSWER_S,
) -> Reply:
    """Make a request on a connection of its own, as a program in the namespace would.

    Raises OSError.
    """
    connection = http.client.HTTPConnection(address, port, timeout=timeout_s)
    with contextlib.closing(connection):
        try:
            with namespace.inside():
                connection.connect()

            connection.request(method, path, headers={"Connection": "close"})
            response = connection.getresponse()
            text = response.read().decode(errors="replace")
            return Reply(response.status, text)
        except http.client.HTTPException as error:
            raise ConnectionError(f"{address}:{port}{path}: {error!r}") from error
