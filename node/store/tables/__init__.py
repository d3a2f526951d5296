"""The tables, typed, and the words and column types in them.

The migrations create them; a test proves that both say the same.
"""
