"""Bitget classic v2 over REST and websocket."""
