"""Files of Dragonfly: photons (.emc), detector (.h5, .dat) and what it leaves behind."""
