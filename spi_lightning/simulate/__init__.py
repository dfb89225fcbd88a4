"""From particles to intensities to photons, batched on any device. Files are written elsewhere (data)."""
