"""Write and read `host:port`; an IPv6 address stands in brackets: `[fd00::5]:2379`. No I/O."""


def host_port(host: str, port: int) -> str:
    """Return `host:port`; `host` is a name, or an IP address without brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def split_host_port(text: str) -> tuple[str, str]:
    """Return the host without brackets, and what follows the last colon, unchecked."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), port
