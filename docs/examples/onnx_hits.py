"""Single hits of a file by an exported network: python onnx_hits.py network.onnx frames.npy mask.npy."""

import sys

import numpy as np
import onnxruntime

network, frames, mask = sys.argv[1:4]
session = onnxruntime.InferenceSession(network)
photons = np.load(frames, mmap_mode="r")  # (frames, y, x)
measured = np.load(mask).astype(bool)  # (y, x), True where measured

for start in range(0, len(photons), 64):
    batch = np.nan_to_num(photons[start : start + 64].astype(np.float32))
    inputs = {"photons": batch, "mask": np.broadcast_to(measured, batch.shape)}
    probability, is_single_hit = session.run(None, inputs)
    for frame, (p, single) in enumerate(zip(probability, is_single_hit, strict=True), start):
        print(f"{frame} {p:.6f} {'single' if single else 'other'}")
