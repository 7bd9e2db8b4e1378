"""How a runtime is started: one file per family."""
