"""Labels in: what persons say of images, read out of their objects and files, and settled by the operator."""
