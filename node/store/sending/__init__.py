"""The outbox: what goes where, in which form, and what peers answered."""
