"""Routing: facts from tables of the log, decisions by the sourcing core, replies to the orders that requested them."""
