"""What a long-running process is made of.

Threads, retry, options, logs, health, metrics. Knows no container and no HAProxy.
"""
