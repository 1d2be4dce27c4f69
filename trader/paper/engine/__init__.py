"""The matching core: accounts, orders, positions, money. Synchronous, deterministic, no I/O of its own."""
