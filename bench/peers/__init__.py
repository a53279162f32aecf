"""What Tandem is compared with, and what that is measured by: proxies, instance, load, wire."""
