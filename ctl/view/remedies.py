"""What helps, for the codes that one line heals; `docs/reasons.md` has all. No I/O."""

REMEDIES = {
    "NO_PUBLISHED_PORT": "start it with -P, or with -p and its port",
    "PORT_CLAIMED": "start it with --label SERVICE_PORT=auto, or another port",
    "NOT_LABELLED": "start it with --label SERVICE_NAME=<name>",
    "IGNORED": "start it without SERVICE_IGNORE",
    "ONE_OFF": "start it with --label SERVICE_IGNORE=false",
    "LOOPBACK_ONLY": "publish its port at another address than loopback",
    "UDP_PORT": "only TCP is balanced",
    "BAD_NAME": "start it with --label SERVICE_NAME=<name>",
    "CRASH_LOOP": "read its own log: docker logs <container>",
    "START_FAILED": "read what Docker says: docker start <container>",
    "STARTING": "its HEALTHCHECK has to succeed: docker inspect <container>",
    "NOT_LISTENING": "its program has to accept connections on that port, on all addresses",
    "HOST_DRAINED": "docker exec docker-register undrain",
    "PORT_IN_USE": "another program of that host has the port: ss -ltnp",
}


def remedy(code: str) -> str:
    """Return what helps against a code."""
    return REMEDIES.get(code, f"docs/reasons.md has {code}")
