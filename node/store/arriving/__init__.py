"""What came, from whom, of which patient."""
