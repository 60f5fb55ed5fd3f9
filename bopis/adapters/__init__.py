"""Implementations of the ports: Kafka clients, channels to customers, secrets, opening hours, printing."""
