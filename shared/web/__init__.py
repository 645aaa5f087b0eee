"""What every page stands on: one app builder, its guards, sessions and looks.

Knows no business word of a service. The only home of flask outside `services/*/web`.
"""
