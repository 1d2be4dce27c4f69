"""Faults on demand: what a venue, its gateways and the network between do to a client now and then."""
