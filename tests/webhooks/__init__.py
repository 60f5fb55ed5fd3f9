"""Webhooks: mapping, schedule, signatures, the table, requests to real receivers, and the worker."""
