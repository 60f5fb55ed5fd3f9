"""The order after each event, one module per group of events. `bopis.domain.orders.evolve` is their table."""
