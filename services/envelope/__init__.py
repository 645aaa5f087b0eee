"""Envelopes: one letter, sealed for one contact, opened by link or by sign-in.

Owns renditions, links and the mail that carries them; the only service that decrypts a
letter and the only one that reaches SMTP. Never sees a known fact or a password.
"""
