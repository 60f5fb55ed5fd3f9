"""Routing: facts from live tables, decisions by the sourcing core, answers to the orders that asked."""
