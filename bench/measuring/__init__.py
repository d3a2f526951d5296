"""What processes cost, what a receiver has kept and recorded, and how figures are printed."""
