"""People who can be written to: names, addresses, known facts, choices.

Owns who may be contacted and how; grants each sending with an event of its own. Answers
yes or no about known facts and codes, and never lets them out. Never sees a letter.
"""
