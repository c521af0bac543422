//! Who belongs to the ensemble, and what counts as a quorum of it.
