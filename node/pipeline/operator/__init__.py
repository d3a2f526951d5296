"""What an operator asks: listings, checks, explanations."""
