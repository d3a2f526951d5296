"""What is held, recalled, rejected and taken back."""
