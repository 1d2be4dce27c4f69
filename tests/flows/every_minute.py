"""The flow under another module's name: what ``prefect.yaml`` deploys is brought back to the file, this is not."""

from flows.cot import cot

__all__ = ["cot"]
