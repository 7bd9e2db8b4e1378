"""Codecs for AWS's wire protocols, compiled once per operation from botocore's models.

Pure: bytes and headers in, parameters out, and back. Knows no service.
"""
