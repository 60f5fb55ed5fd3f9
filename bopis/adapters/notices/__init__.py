"""Channels to customers: mail, text message, chat, webhook, and a folder where none is configured."""
