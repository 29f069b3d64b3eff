"""dlib's networks: read from its own files, simplified, and exported to ONNX."""
