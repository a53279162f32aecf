"""etcd's catalog in, a HAProxy that serves it out.

A round reads: snapshot, model, text, plan, apply.
"""
