"""The services. A folder is a trust zone; the same rooms stand in each."""
