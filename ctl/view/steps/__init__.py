"""The steps of `tandem explain`: what each part of the pair says, along the way of the data."""
