"""What an operator asks: listings, explanations, conformance, and files sent by hand."""
