"""What is kept and for how long: retention, backup, restore."""
