"""The function host: pools of environments, the Runtime API, zygotes and sandboxes."""
