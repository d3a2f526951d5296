"""How a database is reached and shared: engines, locks, deadlines, writes of many together, snapshots."""
