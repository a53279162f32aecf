"""Take the SHA-256 of bytes by Python's own code: OpenSSL, which hashlib prefers, takes 4 MB."""

from catalog.without_modules import as_if_missing

with as_if_missing("_hashlib"):
    from hashlib import sha256

__all__ = ["sha256"]
