"""Methods that select single hits: checkpoints, graphs, diffusion maps, references, photon counts."""
