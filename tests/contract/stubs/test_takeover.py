"""A real instance takes over from a stub also in a worker that a reload made old: real etcd, real
HAProxy.
"""

from http.client import HTTPConnection, RemoteDisconnected

from tests.parts.backend import backends, echo
from tests.parts.caller import TcpClient
from tests.parts.discover import Discover, publish, withdraw
from tests.parts.etcd import Etcd
from tests.parts.haproxy import get
from tests.parts.ports import free_port
from tests.parts.records import local
from tests.parts.wait import wait_for


def test_a_tcp_client_of_an_old_worker_is_told_once(etcd: Etcd, discover: Discover) -> None:
    """And one of another service in that worker is not."""
    port, near, later = free_port(), free_port(), free_port()
    with (
        echo("stub") as stub,
        echo("real") as real,
        echo("steady") as steady,
        backends("later") as (other,),
    ):
        publish(
            etcd, local(1, stub, port, role="stub"), local(2, steady, near, "steady", role="stub")
        )
        discover.wait_said(f"steady:{near}")
        wait_for(lambda: discover_command(port) == "stub", 10, "the stub answers")
        client, neighbour = TcpClient(port), TcpClient(near)
        assert (client.ask(), neighbour.ask()) == ("stub", "steady")
        publish(etcd, local(3, other, later, "later", mode="http"))
        wait_for(lambda: get(later) == (200, "later"), 10, "a reload has brought another service")
        discover.wait_said(f"new listen later:{later}")

        publish(etcd, it := local(4, real, port))
        wait_for(lambda: client.ask() == "real", 5, "the real one takes over")
        assert client.connects == 2
        assert neighbour.ask() == "steady"
        assert neighbour.connects == 1
        withdraw(etcd, it)
        wait_for(lambda: discover_command(port) == "stub", 5, "the stub is back")

        client.close()
        neighbour.close()


def test_a_tunnel_of_an_old_worker_ends_where_the_service_is_http_now(
    etcd: Etcd, discover: Discover
) -> None:
    """And a request that is on its way in another old worker, in http, is answered."""
    port, later = free_port(), free_port()
    with backends("stub", "real", "later") as (stub, real, other):
        publish(etcd, local(1, stub, port, role="stub"))
        wait_for(lambda: get(port) == (200, "stub"), 10, "the stub answers, in tcp")
        client = HTTPConnection("127.0.0.1", port, timeout=5)
        assert answer(client) == "stub"
        own = client.sock
        publish(etcd, local(1, stub, port, role="stub", mode="http"))
        discover.wait_said(f"changed listen whoami:{port}")
        assert (answer(client), client.sock is own) == ("stub", True)

        slow = HTTPConnection("127.0.0.1", port, timeout=5)
        slow.putrequest("POST", "/")
        slow.putheader("Content-Length", "2")
        slow.endheaders(b"1")
        wait_for(
            lambda: f"be=whoami:{port} srv=slot-" in sessions(discover),
            5,
            "the call is on its way",
        )
        publish(etcd, local(2, other, later, "later"))
        discover.wait_said(f"new listen later:{later}")

        publish(etcd, local(3, real, port, mode="http"))
        wait_for(lambda: answer(client) == "real", 5, "the client comes to the real one")
        slow.send(b"2")
        assert slow.getresponse().read() == b"stub"
        client.close()
        slow.close()


def answer(client: HTTPConnection) -> str:
    """Return who answers; the connection stays if it can."""
    try:
        client.request("GET", "/")
        return client.getresponse().read().decode()
    except (RemoteDisconnected, ConnectionError):
        client.close()
        return "nobody"


def sessions(discover: Discover) -> str:
    """Return what the current worker has."""
    return discover.haproxy.adapter.ask("@1 show sess")


def discover_command(port: int) -> str:
    """Return who answers whoever comes anew."""
    one = TcpClient(port)
    try:
        return one.ask()
    finally:
        one.close()
