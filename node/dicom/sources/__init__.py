"""The images that a result is made from, as far as it copies from them."""
