"""PartiQL for DynamoDB: statements become the same plans and conditions as the other API.

Source: Amazon DynamoDB Developer Guide, "PartiQL - a SQL-compatible query language".
"""
