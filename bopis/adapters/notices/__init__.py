"""Ways to tell a customer something: mail, text message, chat, webhook, and a folder for who has none of them."""
