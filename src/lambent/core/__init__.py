"""What every other package stands on: clock, ids, ARNs, errors, settings, registry.

Imports nothing else of Lambent.
"""
