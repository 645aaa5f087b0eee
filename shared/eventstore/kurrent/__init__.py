"""The journal on an EventStoreDB or KurrentDB cluster.

In a process patched by eventlet import this package, `grpc` and `kurrentdbclient` while
`threading` and `queue` are the original ones, and call it through `tpool` only.
"""

from shared.eventstore.kurrent.cluster import Cluster
from shared.eventstore.kurrent.journal import KurrentJournal

__all__ = ["Cluster", "KurrentJournal"]
