"""Which path is tried first, and which of its answers a request gets."""

from collections.abc import Sequence

import pytest

from stub.answers import Answer, Entry, Invalid, choose, duration_s, lines_of, status_of, table_of


def answer(first: int, last: int | None = None, body: bytes = b"", example: str = "") -> Answer:
    statuses = range(first, (last or first) + 1)
    return Answer(statuses, body, example=example)


def test_exact_paths_are_tried_first() -> None:
    templates = [
        "/{a}",
        "/o/{id}",
        "/o/{id}.json",
        "/o/new",
        "/o",
        "/",
        "/{a}/new",
        "/o/{id}/{b}",
        "/o/{id}/x",
    ]

    table = table_of(Entry("GET", template, answer(200)) for template in templates)

    assert [path.template for path in table.paths] == [
        "/",
        "/o",
        "/o/new",
        "/o/{id}.json",
        "/o/{id}",
        "/o/{id}/x",
        "/o/{id}/{b}",
        "/{a}",
        "/{a}/new",
    ]


def test_placeholders_of_other_names_are_one_path_and_the_first_of_two_counts() -> None:
    one = answer(200, body=b"1")
    two = answer(200, body=b"2")
    post = answer(201)

    table = table_of(
        [
            Entry("GET", "/o/{id}", one),
            Entry("GET", "/o/{order}", two),
            Entry("POST", "/o/{x}", post),
        ]
    )

    [path] = table.paths
    assert path.template == "/o/{id}"
    assert path.answers == {"GET": (one, two), "POST": (post,)}
    assert choose(path.answers["GET"]) == (200, one)


MANY = (
    answer(404),
    answer(201, body=b"a", example="a"),
    answer(201, body=b"b", example="b"),
    answer(200, 599),
)
CHOICES = [
    (MANY, None, "", (201, MANY[1])),
    (MANY, None, "b", (201, MANY[2])),
    (MANY, None, "c", (404, None)),
    (MANY, 404, "", (404, MANY[0])),
    (MANY, 503, "", (503, MANY[3])),
    (MANY, 201, "b", (201, MANY[2])),
    (MANY[:1], None, "", (404, MANY[0])),
    (MANY[:1], 503, "", (503, None)),
    (MANY[3:], None, "", (200, MANY[3])),
    ((answer(500, 599), answer(503)), 503, "", (503, answer(503))),
    ((answer(500, 599), answer(200, 299)), None, "", (200, answer(200, 299))),
]


@pytest.mark.parametrize(("answers", "status", "example", "expected"), CHOICES)
def test_the_first_2xx_or_what_was_asked_for(
    answers: Sequence[Answer],
    status: int | None,
    example: str,
    expected: tuple[int, Answer | None],
) -> None:
    assert choose(answers, status, example) == expected


def test_the_list_names_each_path_once_with_its_status_codes() -> None:
    entries = [
        Entry("GET", "/o", answer(503)),
        Entry("GET", "/o", answer(200)),
        Entry("GET", "/o.json", answer(200), alias=True),
        Entry("POST", "/o", answer(200, 599)),
        Entry("POST", "/o", answer(400, 499)),
    ]

    assert lines_of(table_of(entries)) == ["GET /o 200 503", "POST /o 4XX default"]


@pytest.mark.parametrize(
    ("text", "expected"), [("500ms", 0.5), ("2s", 2), ("0.5", 0.5), (3, 3), ("1m", 60)]
)
def test_durations(text: object, expected: float) -> None:
    assert duration_s(text) == expected


@pytest.mark.parametrize("text", ["", "-1", "2h", "nan", "1e3", "3601", None])
def test_no_durations(text: object) -> None:
    with pytest.raises(Invalid, match="is not a duration"):
        duration_s(text)


@pytest.mark.parametrize("text", ["", "abc", "199", "600", "20O", "-200", None])
def test_no_statuses(text: object) -> None:
    with pytest.raises(Invalid, match="is not a status"):
        status_of(text)
