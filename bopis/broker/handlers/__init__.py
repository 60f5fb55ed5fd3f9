"""What the embedded log answers, one file per family of requests."""
