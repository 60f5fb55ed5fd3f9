"""Commands about payments and their gateways."""
