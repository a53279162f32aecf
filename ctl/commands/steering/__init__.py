"""Commands that change which instances get calls, and how many."""
