"""Face recognition: detection, alignment, embedding, quality, galleries, matching and enrolment checks."""
