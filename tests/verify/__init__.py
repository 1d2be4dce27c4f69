"""Commands that show a claim: each prints its figures and ends non-zero when the claim does not hold."""
