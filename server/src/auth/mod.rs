//! What a connection has proved about itself.
