"""What a bundle is worth: measures, figures and the pages that show them. It changes and chooses nothing."""
