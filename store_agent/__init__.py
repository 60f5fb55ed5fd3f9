"""The process that runs in a shop: sources, a durable journal and the uplink to the log."""
