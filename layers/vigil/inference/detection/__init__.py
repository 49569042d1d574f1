"""From the tensors of a detector to boxes: anchors, distributions over distances, suppression."""
