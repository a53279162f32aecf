"""All that is known of one thing: a service, an instance or a host, as sections of rows. No I/O."""
