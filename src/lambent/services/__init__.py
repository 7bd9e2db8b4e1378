"""One folder per AWS service; a folder with a `service.py` is found by itself."""
