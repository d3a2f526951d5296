"""What is broken, odd or cut off: how it is made, said to the node, and what the node makes of it."""
