"""Pickup orders as rows of SQL tables."""
