"""Who calls: keys, sessions in cookies, one-time links, customers' links and tokens of an identity provider."""
