"""What readers say of images, and what of it counts."""
