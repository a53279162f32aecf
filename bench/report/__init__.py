"""What the measurements leave: figures in; tables, docs/bench.md and pictures out."""
