"""What the measurements leave: figures in; a table, docs/bench.md and a picture out."""
