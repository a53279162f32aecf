"""How often HAProxy checks each instance, and the bytes of a gRPC health check. No I/O."""

# With 2 s a dead host is out after 3.2 s (docs/research/haproxy.md section 3.2).
INTERVAL_MS = 2000
INTERVAL_MAX_MS = 32_000

# At 2 s, this many hosts make ten checks a second of each instance. Twice as many hosts get 4 s.
HOSTS_AT_INTERVAL = 20

# An interval shrinks once less than this share of its hosts is left. A change takes a reload, so a
# host that comes and goes must not cause one.
SHRINK_SHARE = 0.25


def check_interval_ms(before_ms: int, hosts: int) -> int:
    """Return the interval for this many hosts, where it was `before_ms`.

    Both are INTERVAL_MS, doubled some times. A longer interval does not find errors later while
    there are calls: a call that fails triggers the next checks at once.
    """
    interval_ms = before_ms

    while interval_ms < INTERVAL_MAX_MS and hosts > _most_hosts(interval_ms):
        interval_ms *= 2

    while interval_ms > INTERVAL_MS and hosts < SHRINK_SHARE * _most_hosts(interval_ms):
        interval_ms //= 2

    return interval_ms


def _most_hosts(interval_ms: int) -> int:
    return HOSTS_AT_INTERVAL * interval_ms // INTERVAL_MS


# HAProxy 2.6 has no gRPC check: it sends these bytes as they are and searches the answer for
# others. The messages are those of grpc.health.v1, "GRPC Health Checking Protocol". Frames are
# written after RFC 9113; headers after RFC 7541, literally and without the dynamic table.
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA = 0
_HEADERS = 1
_SETTINGS = 4
_NO_FLAGS = 0
_END_STREAM = 0x1
_END_HEADERS = 0x4
_WHOLE_CONNECTION = 0
_FIRST_STREAM = 1

# RFC 7541 appendix A, entries 3 and 6.
_METHOD_POST = b"\x83"
_SCHEME_HTTP = b"\x86"

# The names of entries 1, 4 and 31, without indexing; and a name that has no entry.
_AUTHORITY = b"\x01"
_PATH = b"\x04"
_CONTENT_TYPE = b"\x0f\x10"
_NEW_NAME = b"\x00"

# Not compressed, length 0: a HealthCheckRequest for the server as a whole.
_EMPTY_MESSAGE = bytes(5)

# A message of two bytes: field 1, status, is 1, SERVING.
SERVING = (b"\x00\x00\x00\x00\x02" + b"\x08\x01").hex()


def grpc_request(authority: str) -> str:
    """Return what a gRPC health check sends, in hexadecimal digits."""
    headers = (
        _METHOD_POST,
        _SCHEME_HTTP,
        _AUTHORITY + _hpack_text(authority),
        _PATH + _hpack_text("/grpc.health.v1.Health/Check"),
        _CONTENT_TYPE + _hpack_text("application/grpc"),
        _NEW_NAME + _hpack_text("te") + _hpack_text("trailers"),
    )
    frames = (
        _frame(_SETTINGS, _NO_FLAGS, _WHOLE_CONNECTION, b""),
        _frame(_HEADERS, _END_HEADERS, _FIRST_STREAM, b"".join(headers)),
        _frame(_DATA, _END_STREAM, _FIRST_STREAM, _EMPTY_MESSAGE),
    )
    return (_PREFACE + b"".join(frames)).hex()


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + payload


def _hpack_text(text: str) -> bytes:
    """Return a string of HPACK: its length as an integer with seven bits in front, and the text."""
    raw = text.encode("ascii")
    return _hpack_length(len(raw)) + raw


def _hpack_length(length: int) -> bytes:
    """Return an integer as RFC 7541 section 5.1 writes it with a prefix of seven bits."""
    if length < 127:
        return bytes((length,))

    rest = length - 127
    digits = [127]
    while rest >= 128:
        digits.append(rest % 128 + 128)
        rest //= 128

    return bytes((*digits, rest))
