//! One server's share of the ensemble, as a pure step.
