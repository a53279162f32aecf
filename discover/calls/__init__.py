"""Lines that HAProxy logs -> calls as people read them, while somebody looks."""
