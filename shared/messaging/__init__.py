"""How processes reach one another: hints here, requests beside them. Never truth."""
