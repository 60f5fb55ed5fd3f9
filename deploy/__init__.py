"""Servers that bopis can use: Apache Kafka for development and tests."""
