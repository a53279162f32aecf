"""A wish for calls in, an override under a lease that leads them to this machine out."""
