"""Instances and probes in, the instances that may be called now out. Only the probe does I/O."""
