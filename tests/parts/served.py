"""Containers on the real engine that serve a port, and the engine's own API without the docker
command's time.
"""

import http.client
import json
import socket

from tests.parts.docker_proxy import SOCKET
from tests.parts.engine import Container, Engine, docker

IMAGE = "debian:trixie-slim"
PORT = "8000"
# Listens after $DELAY seconds; ends $LINGER seconds after its stop signal.
SERVE = """
use IO::Socket; use POSIX; $SIG{TERM} = sub { select(undef, undef, undef, $ENV{LINGER}); exit 0 };
select(undef, undef, undef, $ENV{DELAY});
my $s = IO::Socket::INET->new(LocalPort => 8000, Listen => 9, ReuseAddr => 1) or die;
while (1) { my $c = $s->accept or next; print $c "hi\n"; close $c }
"""


def serve(
    engine: Engine, service: str, *flags: str, delay: str = "0", linger: str = "0"
) -> Container:
    """Run a container of this service that listens on port 8000."""
    name = engine.name(service)
    ours = ("--name", name, "--label", engine.label, "-l", f"SERVICE_NAME={service}")
    port = ("-P", "--expose", PORT)
    timing = ("-e", f"DELAY={delay}", "-e", f"LINGER={linger}")

    container = docker("run", "-d", *ours, *port, *timing, *flags, IMAGE, "perl", "-e", SERVE)
    return Container(container, name)


def post(path: str, body: dict[str, object] | None = None) -> dict[str, str]:
    """Ask the engine to do something, without the docker command's own time."""
    connection = http.client.HTTPConnection("docker", timeout=60)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(SOCKET)
    try:
        connection.request(
            "POST", path, json.dumps(body or {}), {"Content-Type": "application/json"}
        )
        response = connection.getresponse()
        text = response.read()
        assert response.status < 300, text
        answer: dict[str, str] = json.loads(text or b"{}")
        return answer
    finally:
        connection.close()
