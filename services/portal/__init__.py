"""Where staff work: their accounts and roles, and every page they use.

Owns who is staff, who holds which role, and how they sign in: a person's stream, one
roster, an address each under a keyed hash. Never sees a letter that was sent.
"""
