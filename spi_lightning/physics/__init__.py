"""Nature as pure tensor functions: transforms, scattering geometry, photon statistics, frames. No files, no state."""
