"""The HTTP kit of the three API tiers: who is asking, and how we answer."""
