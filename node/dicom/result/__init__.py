"""What everything says that the node makes of images: its header, its observer, its codes and its lines."""
