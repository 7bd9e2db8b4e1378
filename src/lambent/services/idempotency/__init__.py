"""Outcomes by key, for functions: what was begun or done under a key is not done again."""
