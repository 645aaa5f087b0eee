"""The outside of the envelope service: writing mails, and handing them to a relay."""
