"""The engine's API in, frozen `Container` values out.

Lists and inspects say what is; events only hint at where to look.
"""
