"""The graph of ops: forward, loss and backward in one representation."""
