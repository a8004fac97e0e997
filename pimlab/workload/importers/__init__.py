"""How does a trained model's file become a graph of MAC operators and the rest? ONNX, GGUF and
torch.
"""
