"""From a recipe and labelled images to a bundle. The home of TensorFlow."""
