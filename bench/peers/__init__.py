"""What `bench calls` compares Tandem with and measures it by: proxies, instance, load, wire."""
