"""Bodies and crystals: shapes as thickness or voxels, facets, dislocations, phase fields."""
