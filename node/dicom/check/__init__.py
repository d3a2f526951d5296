"""The last look at an object of ours before it leaves: its bytes, its content tree, and that it says what was meant."""
