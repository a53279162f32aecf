"""TAB in a shell: a line that is begun -> what may come next; names come from a small cache."""
