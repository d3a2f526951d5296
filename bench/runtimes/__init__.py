"""One network in Keras, LiteRT and ONNX Runtime."""
