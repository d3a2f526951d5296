"""What is done to single images: preprocessing, augmentation, hand-made features. NumPy and OpenCV only."""
