"""Any torch module, or a program of torch.export, as a LayerGraph."""
