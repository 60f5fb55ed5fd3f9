"""Messages as bytes: a CloudEvents 1.0 JSON envelope with a versioned type."""
