"""What every service stands on: facts, time, storage, keys, pages.

Owns no business word and imports no service.
"""
