"""Access over HTTP: roles and their rights, API keys, associates with a PIN. What no right allows is denied."""
