"""The way from a stored image to the report at the PACS."""
