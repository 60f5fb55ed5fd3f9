"""Pickup orders as rows for reading: as they stand, what happened to each, and how its stores were chosen."""
