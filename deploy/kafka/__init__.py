"""Apache Kafka on one machine without containers: one or three nodes on the loopback, from Maven's jars.

Modules: `cluster` (start here), `node` (one process), `properties` (what a node is told), `jars` (where the
program comes from), `security` (certificates and users), `errors`.
"""
