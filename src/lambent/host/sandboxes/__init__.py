"""How an environment is confined: one file per kind."""
