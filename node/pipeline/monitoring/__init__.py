"""Whether models still see what they were validated on, and do as well: drift, budgets, silence, the page of a site."""
