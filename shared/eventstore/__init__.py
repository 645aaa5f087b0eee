"""The store of facts: one port, several adapters, one contract suite."""
