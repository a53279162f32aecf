"""The operator's own files in (template, snippets, services), checked values out."""
