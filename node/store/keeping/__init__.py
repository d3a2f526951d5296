"""What is kept for how long, and what is fetched from archives."""
