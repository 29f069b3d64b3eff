"""Who is who: encodings on disk, training, enrolment, the decision."""
