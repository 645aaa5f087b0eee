"""The rules about members of staff. Pure: no clock, no I/O, no randomness.

`details` says what a name and an address are, `staff` what one person may do to sign
in, `roster` who holds which role, `address` whose an address is.
"""
