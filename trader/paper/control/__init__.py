"""The control API: what only the owner of the exchange may do to it."""
