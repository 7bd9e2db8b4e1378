"""What is generated in the documentation: `python -m docs` writes it, a test compares it."""
