"""What our objects consist of, read off objects, for the conformance statement."""
