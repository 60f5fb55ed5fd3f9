"""Payment gateways: the fake one and its client, Stripe, payment in the store."""
