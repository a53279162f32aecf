"""A host name that nobody has, or a service without instances in, the page that says so out."""
