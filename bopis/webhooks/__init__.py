"""Webhooks of the API: which events are public, subscriptions to them, deliveries, and the rules of retries."""
