"""What runs in, what stubs answer for out.

The debt, its calls, and the connections that a real instance takes over.
"""
