"""Ratios measured in one run: our store and pages, each beside its peer."""
