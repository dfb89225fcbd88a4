"""Physics of diffraction as pure tensor functions: transforms, scattering geometry, photon statistics, frames.

Nothing here reads files or keeps state.
"""
