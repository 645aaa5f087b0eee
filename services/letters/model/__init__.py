"""The rules of pages and records. Pure: no clock, no store, no keys."""
