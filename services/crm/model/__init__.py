"""The rules of contacts: pure, no clock, no I/O, no cryptography."""
