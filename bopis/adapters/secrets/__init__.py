"""What must not be readable by whoever reads the log: customers' data, pickup codes, and the keys to them."""
