"""Reading images with a bundle: arrays in, numbers out. It imports no TensorFlow."""
