"""The embedded log: a Kafka-protocol server for one machine over one SQLite file."""
