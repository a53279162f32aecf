"""Names: what is meant by what people paste, and which exist that look like it."""

import pytest

from ctl.view.names import not_found, thing_of


@pytest.mark.parametrize(
    ("text", "thing"),
    [
        ("orders", "orders"),
        ("orders:8080", "orders:8080"),
        ("77de12f4a0b1", "77de12f4a0b1"),
        ("10.0.0.1:32768", "10.0.0.1:32768"),
        ("localhost:8080", "8080"),
        ("http://localhost:8080/a?b", "8080"),
        ("http://127.0.0.1:8080", "8080"),
        ("https://shop.example.com/api/", "shop.example.com"),
        ("http://shop.example.com:8000", "shop.example.com"),
        ("shop.example.com/api/", "shop.example.com"),
        ("shop.example.com", "shop.example.com"),
    ],
)
def test_what_people_paste_is_understood(text: str, thing: str) -> None:
    assert thing_of(text) == thing


def test_near_names_are_said() -> None:
    assert not_found("oders", ["orders", "pets"]) == "nothing here is called oders; near: orders"
    assert not_found("x", ["orders"]) == "nothing here is called x"
