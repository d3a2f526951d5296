"""Images of nobody, for the demo, the checks and the tests: painted, wrapped, or brought along by pydicom."""
