"""Sourcing: which store or stores serve an order, as a decision that explains itself and can be replayed."""
