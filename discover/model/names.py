"""How a listener is named after its service port, and read back from its name. No I/O."""

# A service and its port as its callers know it.
ServicePort = tuple[str, int]

# Stands for the port of a service that has none: only the door leads to it.
NO_PORT = 0


def listener_name(service: str, port: int) -> str:
    """Return the name of the listener for a service port; `service_port_of` is its inverse."""
    return f"{service}:{port}"


def door_listener_name(service: str, port: int) -> str:
    """Return the name of the listener for a service port that is reached through the door alone."""
    return f"{service}:{port}:door"


def service_port_of(name: str) -> ServicePort | None:
    """Return the service port that a listener is named after; None for any other proxy's name."""
    service, _, port = name.rpartition(":")
    return (service, int(port)) if service and port.isdigit() else None
