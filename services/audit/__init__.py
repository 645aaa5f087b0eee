"""The evidence: what happened to every envelope, for seven years.

Owns the trail, which it projects from metadata alone, and the evidence-identity keys:
who a recipient was, sealed for two officers and kept when the person is forgotten.
Never sees a letter, and opens no private field of another service.
"""
