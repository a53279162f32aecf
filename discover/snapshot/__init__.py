"""etcd's lists and watches in, one snapshot out.

What the catalog says, and how much of it is believed.
"""
