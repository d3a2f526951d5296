"""The models that the node serves, and the work on bundles: trained, measured, signed, imported."""
