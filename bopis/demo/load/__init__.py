"""A load of tills, orders and staff for trying an installation."""
