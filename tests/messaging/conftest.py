"""The broker that the tests of a module share."""

from tests.messaging.broker import brokered

__all__ = ["brokered"]
