"""The processes that decide over the log: stream processors and their workers."""
