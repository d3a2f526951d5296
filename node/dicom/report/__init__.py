"""The report: a Structured Report after TID 1500, in each form in which peers take it."""
