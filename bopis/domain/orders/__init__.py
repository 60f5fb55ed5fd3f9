"""Pickup orders: messages, rules, events, state, and the stock requests that follow from events."""
