"""The log with TLS, logins and access rules: each part of the product under a name of its own."""
