"""What stands for the container of a server that a services file names. No I/O."""

from catalog.digest import sha256


def file_container(service: str, endpoint: str) -> str:
    """Return the id, as long as that of a container; `endpoint` is address:port."""
    return sha256(f"{service} {endpoint}".encode()).hexdigest()
