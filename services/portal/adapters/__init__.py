"""The outside, for the portal alone."""
