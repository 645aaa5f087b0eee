"""Sealing values under keys that can be destroyed. The only home of `cryptography`."""
