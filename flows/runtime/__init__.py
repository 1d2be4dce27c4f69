"""How flows are run: the Prefect server, the worker, one flow run, and what is deployed."""
