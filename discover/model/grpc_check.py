"""The bytes of a gRPC health check, which HAProxy sends as they are and looks for the answer in. No I/O.

grpc.health.v1, "GRPC Health Checking Protocol"; frames after RFC 9113, headers after RFC 7541, literal and without
the dynamic table.
"""

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _SETTINGS = 0, 1, 4
_END_STREAM, _END_HEADERS = 0x1, 0x4
_POST, _SCHEME_HTTP = b"\x83", b"\x86"  # RFC 7541 appendix A, entries 3 and 6
_AUTHORITY, _PATH, _CONTENT_TYPE = (
    b"\x01",
    b"\x04",
    b"\x0f\x10",
)  # names of entries 1, 4 and 31, without indexing
_EMPTY_MESSAGE = bytes(
    5
)  # not compressed, length 0: a HealthCheckRequest for the server as a whole
# A message of two bytes: field 1, status, is 1, SERVING.
SERVING = (b"\x00\x00\x00\x00\x02" + b"\x08\x01").hex()


def asked(authority: str) -> str:
    """Return what to send, in hexadecimal digits."""
    fields = (
        _POST,
        _SCHEME_HTTP,
        _AUTHORITY + _text(authority),
        _PATH + _text("/grpc.health.v1.Health/Check"),
        _CONTENT_TYPE + _text("application/grpc"),
        b"\x00" + _text("te") + _text("trailers"),
    )
    head = _frame(_HEADERS, _END_HEADERS, 1, b"".join(fields))
    return (
        _PREFACE
        + _frame(_SETTINGS, 0, 0, b"")
        + head
        + _frame(_DATA, _END_STREAM, 1, _EMPTY_MESSAGE)
    ).hex()


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + payload


def _text(text: str) -> bytes:
    """Return a string of HPACK: its length in seven bits and more, RFC 7541 section 5.1, and the text."""
    raw = text.encode("ascii")
    if len(raw) < 127:
        return bytes((len(raw),)) + raw
    rest, length = len(raw) - 127, bytearray((127,))
    while rest >= 128:
        length.append(rest % 128 + 128)
        rest //= 128
    return bytes((*length, rest)) + raw
