"""The models that serve, and who approved them."""
