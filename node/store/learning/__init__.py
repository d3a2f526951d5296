"""What models learn from, what they became, and how they do."""
