"""Nature as pure tensor functions: transforms, scattering geometry, photon statistics, frame analysis. No files, no state."""
