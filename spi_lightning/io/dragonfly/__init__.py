"""Files of Dragonfly: photons (.emc), detectors (.h5, .dat), and the output of its reconstructions."""
