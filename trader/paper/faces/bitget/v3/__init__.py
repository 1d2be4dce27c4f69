"""Bitget's unified account: the calls under ``/api/v3``."""
