"""The notifier: makes outgoing messages of deliveries that are due, sends them, and reports the results."""
