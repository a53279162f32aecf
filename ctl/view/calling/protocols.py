"""What a tcp service speaks, where its port or image leaves no doubt. No I/O."""

import re

# Ports that have one meaning wherever people use them, by the scheme of its URLs.
BY_PORT = {
    1883: "mqtt",
    3306: "mysql",
    4222: "nats",
    5432: "postgresql",
    5672: "amqp",
    6379: "redis",
    27017: "mongodb",
}
# Images with one port, whatever its number.
BY_IMAGE = {
    "mariadb": "mysql",
    "mongo": "mongodb",
    "mysql": "mysql",
    "postgis": "postgresql",
    "postgres": "postgresql",
    "redis": "redis",
    "timescaledb": "postgresql",
    "valkey": "redis",
}
# Such a URL is not complete: who calls adds a name and a password.
WITH_LOGIN = ("amqp", "mongodb", "mysql", "postgresql")


def scheme_of(mode: str, container_port: int, image: str) -> str:
    """Return the scheme of the URLs of a service; empty if it is not certain."""
    if mode == "http":
        return "http"
    return BY_PORT.get(container_port) or BY_IMAGE.get(base_name(image), "")


def base_name(image: str) -> str:
    """Return the last part of an image's name, without registry, tag and digest."""
    return re.split("[:@]", image.rpartition("/")[2], maxsplit=1)[0]
