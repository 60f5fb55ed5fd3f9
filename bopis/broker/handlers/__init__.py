"""Handlers of requests, one file per family. Each takes the node, the decoded request and its header."""
