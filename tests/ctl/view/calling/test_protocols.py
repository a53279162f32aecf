"""What a tcp service speaks is told by its port or image, where that is certain."""

import pytest

from ctl.view.calling.protocols import scheme_of


@pytest.mark.parametrize(
    ("mode", "port", "image", "scheme"),
    [
        ("http", 8080, "", "http"),
        ("http", 5432, "postgres", "http"),
        ("tcp", 5432, "shop/db:1", "postgresql"),
        ("tcp", 6380, "registry.example.com:5000/library/redis:7@sha256:ab", "redis"),
        ("tcp", 33060, "mariadb", "mysql"),
        ("tcp", 15672, "rabbitmq:3", ""),
        ("tcp", 5672, "rabbitmq:3", "amqp"),
        ("tcp", 8080, "shop:7", ""),
        ("tcp", 8080, "", ""),
    ],
)
def test_scheme(mode: str, port: int, image: str, scheme: str) -> None:
    assert scheme_of(mode, port, image) == scheme
