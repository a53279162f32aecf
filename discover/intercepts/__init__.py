"""Overrides with an address in, calls of a service that go there instead out: on this host."""
