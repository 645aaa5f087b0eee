"""What is deployed, started here without Docker or a cluster.

Each pod or container gets namespaces of its own: a root made as the Dockerfile says,
the mounts, the user, the words and the variables of its description, and an address on
a network whose router forwards exactly what the policies allow. Needs root on Linux.
"""
