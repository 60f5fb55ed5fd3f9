"""Webhooks to the outside: signatures, the table of subscriptions and deliveries, and requests to receivers."""
