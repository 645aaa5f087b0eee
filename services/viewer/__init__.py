"""Where recipients read: the door of an envelope, the letter, its history, choices.

Owns no facts and no keys. Knows a token or a ticket and asks the envelope service.
"""
