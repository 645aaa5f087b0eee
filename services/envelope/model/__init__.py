"""The rules of envelopes: pure functions of state, request and time."""
