"""The node as benchmarks start it: its tables, its databases, and without durability."""
