"""A wanted text in, a HAProxy that runs it out.

First a plan, then runtime commands or one reload.
"""
