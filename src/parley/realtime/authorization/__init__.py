"""The rights of clients: tokens and their claims, and the rights that policies give them."""
