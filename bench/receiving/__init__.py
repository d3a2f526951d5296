"""Receivers side by side: what is sent, who takes it, who sends, and what it must come to."""
