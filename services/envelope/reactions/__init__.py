"""What the envelope service does by itself, on facts and at due times."""

from __future__ import annotations

from services.envelope.reactions.expirer import Expirer
from services.envelope.reactions.forgetting import ForgetReaction
from services.envelope.reactions.postman import Postman

__all__ = ["Expirer", "ForgetReaction", "Postman"]
