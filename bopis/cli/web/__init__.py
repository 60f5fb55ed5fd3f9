"""Commands of HTTP: serve it, sign in, API keys, associates of stores."""
