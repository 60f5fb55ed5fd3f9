"""Commands to orders from staff and checkout, look-up of orders, and picking."""
