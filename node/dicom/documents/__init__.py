"""Key Objects and Structured Reports that came in: opened, read for what they mark or reject, shown as text."""
