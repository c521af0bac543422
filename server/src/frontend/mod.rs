//! The connections of clients, as a pure state machine.
