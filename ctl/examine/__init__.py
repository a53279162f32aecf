"""What `tandem doctor` looks at itself: this machine's kernel, and ports as a caller sees them."""
