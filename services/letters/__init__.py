"""Standard letters and forms by page number, their approval, and the records they show.

Owns what may be said and who approved it. Merges a letter for a contact only when asked
to issue it, and keeps no copy. Never sees an address or a link.
"""
