"""The TensorFlow script: the network as a Keras model, its loss, and a training loop for speed.

It holds no backward pass: TensorFlow differentiates, so the script is an independent witness of the NumPy one.
"""
