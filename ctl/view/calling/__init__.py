"""How to call a service: from where, at which address, as which URL. No I/O."""
