"""The front door: server, identify, authenticate, dispatch."""
