"""Apache Kafka on one machine without containers: one or three nodes on the loopback, from Maven's jars.

Modules: `cluster` (start here), `node` (one process), `properties` (settings of a node), `jars` (the
server's program), `security` (certificates and users), `acls` (access rules), `errors`.
"""
