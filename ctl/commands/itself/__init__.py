"""Commands about `tandem` itself: its version, its contexts, its names for TAB."""
