"""What `pacs-node check` says: all lines in their order (`all_checks`), and in each other module those of one thing."""
