"""Sessions: a network, ready to run in ONNX Runtime, OpenVINO or our own kernels."""
