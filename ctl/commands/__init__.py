"""The commands of `tandem`: each asks, shows, and ends with a status."""
