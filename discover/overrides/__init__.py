"""A snapshot and the hour in, the snapshot with its overrides out, and which of them count.

What people change of services for a while.
"""
