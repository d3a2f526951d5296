"""What goes beside a report, or takes it back: heat map, plain text, rejection note."""
