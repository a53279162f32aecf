"""One container and its labels in, the instances that it offers out, or why there are none.

Pure.
"""
