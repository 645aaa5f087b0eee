"""The operations of the letters service: load, decide, append."""
