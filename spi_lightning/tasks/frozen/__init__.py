"""Tasks on features of a frozen network: VGG16, or a trained run that stands in for it."""
