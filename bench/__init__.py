"""The benchmarks, and what they share; README.md says which script answers which question."""
