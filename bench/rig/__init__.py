"""What the measurements run in: pairs, containers, records, clients, readings from /proc."""
