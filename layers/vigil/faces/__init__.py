"""From a photograph to who is in it: detect, landmarks, align, embed, quality, gallery, calibration."""
